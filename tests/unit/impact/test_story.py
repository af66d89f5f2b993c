"""Somebody who has never seen the lab learns from one paragraph what was done, how it ended, and why."""

import re

import pytest

from impact.story import story
from strategies.events import Outcome
from tests.unit.impact.recorded_run import Recorder, a_run, carried_out
from tests.unit.impact.test_summary import summary_of


def told(recorder: Recorder) -> str:
    return " ".join(story(summary_of(recorder.run, recorder.events, recorder.rows)))


def test_a_good_candidate() -> None:
    recorder = carried_out(a_run())
    text = told(recorder)

    assert text.startswith("v2 was to take the place of v1 by canary: a growing share of the users got it")
    assert f"users sent {len(recorder.rows)} requests" in text
    assert "in nothing was it found worse than v1 by more than what was allowed (failed, wrong 2 points)" in text
    assert text.endswith("So it was promoted, and v2 serves everybody now.")


def test_a_bad_candidate_is_told_with_both_counts_and_the_time_it_took() -> None:
    recorder = carried_out(a_run("v2-broken"), failing=0.3)
    summary = summary_of(recorder.run, recorder.events, recorder.rows)
    failed = next(verdict for verdict in summary.verdicts if verdict.metric == "failed")
    text = told(recorder)

    assert f"{failed.candidate.bad} of {failed.candidate.n} (" in text
    assert "of its requests failed, against 0 of " in text
    # the way back, which began at the same moment, has no part in it
    assert re.search("In the phase “10 %”, [1-9][0-9.]* s after it began", text)
    assert text.endswith("So it was taken back, and v1 serves everybody again.")


def test_a_slow_candidate_within_the_objective_is_told_with_the_latencies_of_both() -> None:
    """Five times as slow and promoted: that it was allowed must not hide it."""
    recorder = carried_out(a_run("v2-slow"), slowness=5.0)
    summary = summary_of(recorder.run, recorder.events, recorder.rows)
    old, new = summary.versions.old, summary.versions.new
    assert old.p50_ms is not None
    assert new.p50_ms is not None
    assert new.p95_ms is not None
    assert new.p50_ms > 4 * old.p50_ms

    assert (
        f"Half of the answers of v2-slow took at most {new.p50_ms:.1f} ms and 95 % at most {_ms(new.p95_ms)}, "
        f"those of v1 {old.p50_ms:.1f} ms and 95 % at most {old.p95_ms:.1f} ms; longer than 95.0 ms counts as slow."
    ) in told(recorder)


def test_a_version_that_nobody_got_an_answer_of_has_no_latency() -> None:
    recorder = Recorder(a_run())
    recorder.pass_time(3.0)

    assert "Half of the answers of v1 took at most " in told(recorder)
    assert "of v2 " not in told(recorder).partition("Half of")[2]
    assert "Half of" not in told(Recorder(a_run()))


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_outcome_has_an_end(outcome: Outcome) -> None:
    recorder = Recorder(a_run())
    recorder.pass_time(1.0)
    recorder._end(outcome, 0, "for this reason")

    assert told(recorder).endswith(".")


def test_no_requests_and_no_end_are_told_as_such() -> None:
    assert "users sent" not in told(Recorder(a_run(rate=0.0)))
    assert told(Recorder(a_run())).endswith("It has not ended, or was killed.")


def _ms(value: float) -> str:
    return f"{value:.1f} ms" if value < 100 else f"{value:.0f} ms"
