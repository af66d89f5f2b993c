"""What a run cost its users fits a terminal, and says the most important first."""

import msgspec
import pytest
from rich.cells import cell_len
from rich.console import Console

from impact import copying
from impact.figures import Finding
from impact.summary import Summary
from impact.terminal import render
from impact.userlog import Request
from strategies.traffic import Slot
from tests.unit.impact.recorded_run import Recorder, a_run, carried_out
from tests.unit.impact.test_summary import ROLLED_BACK, ROWS, summary_of


def printed(summary: Summary, width: int = 80) -> list[str]:
    console = Console(width=width, no_color=True, force_terminal=False)
    with console.capture() as capture:
        console.print(render(summary))
    return capture.get().splitlines()


def summary(recorder: Recorder) -> Summary:
    return summary_of(recorder.run, recorder.events, recorder.rows)


def test_the_outcome_and_why_come_first() -> None:
    lines = printed(summary_of(a_run(), ROLLED_BACK, ROWS))

    assert lines[:2] == ["canary v1 → v2: judged bad and rolled back (exit code 1)", "too many failed"]


def test_each_phase_tells_who_got_what() -> None:
    lines = printed(summary_of(a_run(), ROLLED_BACK, ROWS))
    first = next(number for number, line in enumerate(lines) if line.startswith("10 %"))

    assert lines[first].split() == ["10", "%", "3.5", "stable", "v1", "2", "0", "0", "0", "10.0", "10.0", "10.0"]
    assert lines[first + 1].split() == ["got", "60", "%", "candidate", "v2", "4", "1", "0", "1", "10.0", "20.0", "20.0"]
    assert lines[first + 2].split() == ["charged", "to", "nobody", "1", "1", "–", "–", "–", "–", "–"]


def test_what_it_cost_is_told_in_sentences() -> None:
    text = " ".join(" ".join(printed(summary_of(a_run(), ROLLED_BACK, ROWS))).split())

    assert (
        "Of 10 requests 2 (20.0 %) failed, 1 of them charged to no version, 1 (10.0 %) took longer than 50.0 ms, "
        "and 1 (10.0 %) got a wrong answer."
    ) in text
    assert "The longest time in which every request failed was 1.2 s." in text
    assert "Of 7 users 3 met both versions and 3 a failed request or a wrong answer." in text
    assert "The last request that went to the candidate was sent 200 ms after the decision to go back." in text
    assert "It took 8 replica-seconds beyond what the traffic needs." in text
    assert "1 request was never sent" in text


def test_what_copying_cost_the_users_is_told_where_it_is_known() -> None:
    plain = summary_of(a_run(), ROLLED_BACK, ROWS)
    requests = [Request(0.0, 0.0, seconds, 1, "id", Slot.BLUE, "v1", 200, "", "benign", "benign") for seconds in (0.02, 0.03)]
    copied = Finding(phase="a copy of 100 %", facts=copying.facts(requests[:1], requests))
    unknown = Finding(phase="a copy of 100 %", facts=copying.facts([], requests))

    def text(*findings: Finding) -> str:
        return " ".join(" ".join(printed(msgspec.structs.replace(plain, findings=findings))).split())

    told = "While their requests were copied, users waited: p50 20.0 ms against 20.0 ms before; p95 30.0 ms against 20.0 ms before; "
    assert f"{told}p99 30.0 ms against 20.0 ms before." in text(copied)
    assert "requests were copied" not in text(unknown) + text()


@pytest.mark.parametrize(
    "recorder",
    [
        pytest.param(carried_out(a_run()), id="promoted"),
        pytest.param(carried_out(a_run("a-version-with-a-rather-long-name-of-its-own"), failing=0.3), id="long names"),
        pytest.param(carried_out(a_run(rate=1000.0), wrong=0.5), id="many requests"),
        pytest.param(carried_out(a_run(rate=0.0)), id="no requests"),
        pytest.param(Recorder(a_run()), id="killed at once"),
    ],
)
def test_nothing_is_wider_than_80_columns(recorder: Recorder) -> None:
    assert max(cell_len(line) for line in printed(summary(recorder))) <= 80


def test_in_40_columns_every_figure_is_there_all_the_same() -> None:
    lines = printed(summary_of(a_run(), ROLLED_BACK, ROWS), 40)
    text = " ".join(" ".join(lines).split())

    assert max(map(cell_len, lines)) <= 40
    assert "candidate v2: 4 sent, 1 failed, 0 slow, 1 wrong; p50 10.0, p95 20.0, p99 20.0 ms" in text


def test_a_version_may_be_called_like_markup() -> None:
    assert "canary v1 → [red]v2[/]: promoted (exit code 0)" in printed(summary(carried_out(a_run("[red]v2[/]"))))


def test_no_requests_are_no_praise() -> None:
    text = "\n".join(printed(summary(carried_out(a_run(rate=0.0)))))

    assert "nothing can be said about users" in text
    assert "0 failed" not in text
