"""Somebody who has never seen the lab learns from one paragraph what was done, how it ended, and why."""

import msgspec
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
    assert "In the phase “10 %”" in text
    assert text.endswith("So it was taken back, and v1 serves everybody again.")


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_outcome_has_an_end(outcome: Outcome) -> None:
    recorder = Recorder(a_run())
    recorder.pass_time(1.0)
    recorder._end(outcome, 0, "for this reason")

    assert told(recorder).endswith(".")


def test_no_requests_and_no_end_are_told_as_such() -> None:
    assert "users sent" not in told(Recorder(a_run(rate=0.0)))
    assert told(Recorder(a_run())).endswith("It has not ended, or was killed.")


def ended(strategy: str, outcome: Outcome, reason: str, **totals: int | float) -> str:
    """What is told of a run of another strategy: on paper it went as a canary does."""
    recorder = carried_out(msgspec.structs.replace(a_run(), plan=msgspec.structs.replace(a_run().plan, strategy=strategy)))
    summary = summary_of(recorder.run, recorder.events, recorder.rows)
    changed = msgspec.structs.replace(summary.totals, **totals)
    return " ".join(story(msgspec.structs.replace(summary, outcome=outcome, reason=reason, totals=changed)))


OVER = "; the experiment is over, stable has all the traffic"


def test_of_a_shadow_it_is_told_that_a_copy_was_tried_and_who_serves_now() -> None:
    text = ended("shadow", Outcome.COMPLETED, f"enough requests to see a harm that matters, and none was proved{OVER}")
    promoted = ended("shadow", Outcome.PROMOTED, "v2 is stable now, in green")

    assert text.startswith("v2 was to be tried beside v1 by shadow: it got copies of the users' requests, and nobody got its answers.")
    assert text.endswith("So the trial is over: v2 is gone, and v1 serves everybody, as all the time.")
    assert promoted.endswith("So it was promoted, and v2 serves everybody now.")
    assert "take the place" not in text + promoted


def test_of_an_experiment_it_is_told_that_two_were_compared_what_was_found_and_who_serves_now() -> None:
    text = ended("ab-test", Outcome.COMPLETED, f"winner: candidate right 97 % against stable 91 % of their users' answers{OVER}")

    assert text.startswith("v2 was to be compared with v1 on the users by ab-test: two groups of users got one version each")
    assert text.endswith(
        "What was found: winner: candidate right 97 % against stable 91 % of their users' answers. "
        "So the experiment is over, and v1 serves everybody again."
    )
    assert "take the place" not in text


def test_of_recreate_the_gap_is_told_in_the_same_paragraph() -> None:
    requests = len(carried_out(a_run()).rows)
    text = ended("recreate", Outcome.PROMOTED, "v2 is stable now, in blue", failed=376, downtime_seconds=2.6)

    assert text.startswith("v2 was to take the place of v1 by recreate: all of the old version was ended before")
    assert f"Of all requests 376 ({37600 / requests:.1f} %) failed; the longest time in which every one did was 2.6 s." in text
    assert "every one did" not in ended("recreate", Outcome.PROMOTED, "v2 is stable now, in blue", failed=0, downtime_seconds=0.0)
