"""The report is one file that is right, safe and readable, whatever the run was like."""

import re
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from impact.report import write_report
from strategies.events import Looked
from strategies.judgement import Fact, Judgement, Verdict
from strategies.plan import Hold, Plan
from strategies.traffic import Slot
from tests.unit.impact.recorded_run import Recorder, a_run, carried_out, record, summarised

VOID = {"meta", "br"}


class Page(HTMLParser):
    """A page taken apart: checks that elements are closed in order, and collects attributes and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += f" {data}"

    def values(self, name: str) -> list[str]:
        return [value for found, value in self.attributes if found == name]


def reported(runs: Path, recorder: Recorder) -> tuple[str, Page]:
    html = write_report(record(runs, recorder)).read_text()
    return html, Page(html)


def only_stable() -> Recorder:
    """Killed during the baseline: no candidate, no verdict."""
    recorder = Recorder(a_run())
    recorder.pass_time(3.0)
    return recorder


def nothing_answered() -> Recorder:
    recorder = Recorder(a_run())
    recorder.pass_time(3.0)
    recorder.rows = [row._replace(slot="", version="", status="0", failure="connection", predicted="") for row in recorder.rows]
    return recorder


def an_experiment() -> Recorder:
    """What was found takes the place of a verdict by metric."""
    recorder = carried_out(a_run("v2-broken"), failing=0.3)
    facts: list[dict[str, Fact]] = [{"difference": None, "difference, at least": -1.0, "difference, at most": 1.0}]
    facts += [{"difference": -0.3, "difference, at least": -0.3 - width, "difference, at most": width - 0.3} for width in (0.6, 0.4, 0.2)]
    looks = [number for number, event in enumerate(recorder.events) if isinstance(event, Looked)]
    for number, found in zip(looks, facts + facts[-1:] * len(looks), strict=False):
        judgement = Judgement(verdict=Verdict.FAIL, reason="loser: right less often", facts=found)
        recorder.events[number] = msgspec.structs.replace(recorder.events[number], judgement=judgement)
    return recorder


RUNS = [
    pytest.param(an_experiment(), id="an experiment"),
    pytest.param(carried_out(a_run()), id="promoted"),
    pytest.param(carried_out(a_run("v2-broken", stable=Slot.GREEN), failing=0.3), id="rolled back"),
    pytest.param(carried_out(a_run(rate=0.0)), id="no requests"),
    pytest.param(only_stable(), id="one version"),
    pytest.param(nothing_answered(), id="nothing answered"),
    pytest.param(Recorder(a_run()), id="killed at once"),
]


@pytest.mark.parametrize("recorder", RUNS)
def test_every_run_has_one_small_well_formed_page_without_a_network(tmp_path: Path, recorder: Recorder) -> None:
    html, page = reported(tmp_path, recorder)

    assert len(html) < 400_000
    assert len(page.values("id")) == len(set(page.values("id")))
    assert all(link.startswith("#") for name in ("src", "href", "xlink:href") for link in page.values(name))
    assert {target for target in re.findall(r"url\(([^)]*)\)", html) if not target.startswith("#")} == set()
    assert "@import" not in html
    assert "<script" not in html


@pytest.mark.parametrize("recorder", RUNS)
def test_every_drawing_is_told_in_words_too(tmp_path: Path, recorder: Recorder) -> None:
    html, page = reported(tmp_path, recorder)

    assert html.count("<svg") == page.values("role").count("img")
    assert all(len(label) > 5 for label in page.values("aria-label"))


@pytest.mark.parametrize(
    ("recorder", "drawings", "words"),
    [
        pytest.param(carried_out(a_run("v2-broken"), failing=0.3), 7, [], id="everything happened"),
        pytest.param(only_stable(), 6, ["The candidate was never judged."], id="one version"),
        pytest.param(nothing_answered(), 3, ["No request was answered, so there is no latency."], id="nothing answered"),
        pytest.param(
            Recorder(a_run()),
            0,
            [
                "No user sent a request, so there is nothing to draw.",
                "No user sent a request, so none could go wrong.",
                "The run ended before its first phase.",
                "Prometheus was not asked for counts in this run.",
            ],
            id="nothing happened",
        ),
        pytest.param(carried_out(a_run(), wrong=0.0), 7, [], id="only wrong answers of stable"),
    ],
)
def test_where_there_is_nothing_to_draw_there_are_words(tmp_path: Path, recorder: Recorder, drawings: int, words: list[str]) -> None:
    html, page = reported(tmp_path, recorder)

    assert html.count("<svg") == drawings
    assert [word for word in words if word not in page.text] == []


def test_an_experiment_has_its_difference_drawn_and_is_not_called_unjudged(tmp_path: Path) -> None:
    html, page = reported(tmp_path, an_experiment())
    start = html.index("<svg", html.index("The path to the verdict"))

    assert ">no difference<" in html[start : html.index("</svg>", start)]
    assert "The candidate was never judged." not in page.text
    assert "What was found: " in page.text


def test_a_flawless_run_says_so(tmp_path: Path) -> None:
    recorder = carried_out(a_run())
    recorder.rows = [row._replace(predicted=row.truth) for row in recorder.rows]

    _, page = reported(tmp_path, recorder)

    assert "No request failed and no answer was wrong." in page.text


def test_the_page_tells_what_the_summary_holds(tmp_path: Path) -> None:
    recorder = carried_out(a_run("v2-broken"), failing=0.3)
    folder = record(tmp_path, recorder)
    summary = summarised(folder)
    page = Page(write_report(folder).read_text())

    assert "canary v1 → v2-broken: judged bad and rolled back (exit code 1)" in page.text
    assert summary.reason in page.text
    for phase in summary.phases:
        assert phase.name in page.text
    for verdict in summary.verdicts:
        assert f"{verdict.candidate.bad} of {verdict.candidate.n}" in page.text
        assert verdict.explanation in page.text
    assert f"requests sent {summary.totals.requests}" in page.text
    assert "labctl rollout canary" in page.text


def test_both_witnesses_are_shown(tmp_path: Path) -> None:
    _, page = reported(tmp_path, carried_out(a_run()))
    (users,) = re.findall(r"blue 0 of (\d+) 0 of (\d+)", page.text)

    assert int(users[1]) == int(users[0]) + 1


def test_the_marks_of_a_drawing_are_the_phases_and_the_versions(tmp_path: Path) -> None:
    html, _ = reported(tmp_path, carried_out(a_run()))
    start = html.index("<svg", html.index("Who answered"))
    drawing = html[start : html.index("</svg>", start)]

    for text in ("blue: v1", "green: v2", "1 baseline", "3 10 %", "requests/s"):
        assert f">{text}<" in drawing


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "$x$ & _y {{ 7 * 7 }}", "版本二"])
def test_names_are_text_wherever_they_come_from(tmp_path: Path, name: str) -> None:
    recorder = carried_out(msgspec.structs.replace(a_run(name), command=("labctl", name)), failing=0.3)
    html, page = reported(tmp_path, recorder)

    assert f"v1 → {name}" in page.text
    assert f"green: {name}" in page.text
    assert "<script" not in html
    assert "<img" not in html


def test_a_run_that_was_killed_has_a_report_of_what_is_known(tmp_path: Path) -> None:
    _, page = reported(tmp_path, only_stable())

    assert "canary v1 → v2: not ended" in page.text
    assert "It has not ended, or was killed." in page.text


def test_a_run_whose_summary_an_older_release_wrote_has_a_report_too(tmp_path: Path) -> None:
    folder = record(tmp_path, carried_out(a_run()))
    (folder.path / "summary.json").write_text('{"id": "of a time before"}')

    assert "canary v1 → v2: promoted" in Page(write_report(folder).read_text()).text


def test_load_without_a_rollout_names_one_version(tmp_path: Path) -> None:
    run = msgspec.structs.replace(a_run("v1"), plan=Plan(strategy="load", replicas=2, steps=(Hold(5.0, "constant load"),)))
    _, page = reported(tmp_path, carried_out(run))

    assert "load v1: " in page.text
    assert "1 constant load" in page.text
    assert "The candidate was never judged." in page.text
