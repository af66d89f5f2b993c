"""A run in Markdown says what its page says, and two runs stand side by side figure by figure."""

from itertools import pairwise

import pytest

from impact import wording
from impact.markdown import escaped, render, render_comparison
from impact.side_by_side import compare, page
from impact.summary import Summary
from tests.unit.impact.recorded_run import Recorder, a_run, carried_out
from tests.unit.impact.test_report import Page, an_experiment
from tests.unit.impact.test_summary import summary_of


def summary(recorder: Recorder) -> Summary:
    return summary_of(recorder.run, recorder.events, recorder.rows)


def test_it_tells_the_outcome_the_phases_the_verdicts_and_how_to_repeat_it() -> None:
    bad = summary(carried_out(a_run("v2-broken"), failing=0.3))
    text = render(bad)

    assert text.startswith("# canary v1 → v2-broken: judged bad and rolled back (exit code 1)\n")
    for verdict in bad.verdicts:
        assert escaped(verdict.explanation) in text
    assert "| 10 % |" in text
    assert text.endswith("\n    labctl rollout\n")


def test_what_an_experiment_found_is_told() -> None:
    assert "| difference, at most | -0.1 |" in render(summary(an_experiment()))


@pytest.mark.parametrize("recorder", [Recorder(a_run()), carried_out(a_run(rate=0.0))], ids=["killed at once", "no requests"])
def test_a_run_without_figures_is_told_too(recorder: Recorder) -> None:
    assert render(summary(recorder)).startswith("# canary v1 → v2: ")


def test_names_are_text_wherever_they_come_from() -> None:
    name = "<b>v|2</b>*_"
    text = render(summary(carried_out(a_run(name))))

    assert name not in text
    assert escaped(name) in text


def test_all_rows_of_a_table_have_the_columns_of_its_head() -> None:
    lines = render(summary(carried_out(a_run()))).splitlines()
    for above, line in pairwise(lines):
        if above.startswith("|") and line.startswith("|"):
            assert line.count(" |") == above.count(" |")


def test_two_runs_side_by_side() -> None:
    good, bad = summary(carried_out(a_run())), summary(carried_out(a_run("v2-broken"), failing=0.3))
    rows = compare(good, bad)
    values = {what: (first, second) for what, first, second in rows}

    assert values["run"] == (good.id, bad.id)
    assert values["requests sent"] == (str(good.totals.requests), str(bad.totals.requests))
    assert values["failed"][1] == wording.share(bad.totals.failed, bad.totals.requests)
    for name in ("p50", "p95", "p99"):
        latencies = [getattr(version, f"{name}_ms") for version in (bad.versions.old, bad.versions.new)]
        assert values[f"{name}, old version / new"][1] == " / ".join(map(wording.milliseconds, latencies)) + " ms"
    assert values["slow is longer than"] == ("95.0 ms", "95.0 ms")
    assert values["judged: failed"][0].startswith("PASS at 10 %")
    assert values["judged: failed"][1].startswith("FAIL at 10 %")
    shown = Page(page(rows)).text
    for what, first, second in rows:
        assert " ".join(f"{what} {first} {second}".split()) in shown
    assert render_comparison(rows).count("\n|") == len(rows) + 1
