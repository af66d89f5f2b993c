"""kill -9 at any moment, then `labctl resume` or `labctl abort`: users are served throughout, and both reach a clean end."""

from collections.abc import Callable, Iterable

import pytest

from strategies.events import Ended, Outcome, StepEnded, StepStarted
from strategies.judgement import Verdict
from strategies.traffic import Slot, replicas_needed
from tests.fakes import Killed
from tests.unit.strategies.rollout import ROUTE_BACK, Rollout, changes_of_each_way_back, first_open_step


def good() -> Rollout:
    rollout = Rollout()
    rollout.platform.drain_seconds = 2.0
    return rollout


def bad() -> Rollout:
    rollout = good()
    rollout.witness.verdicts = {10: Verdict.FAIL}
    return rollout


Moment = tuple[str, int]
"""Before or after which write, or in which sleep (which is in the middle of a verb)."""


def moments_of(make: Callable[[], Rollout]) -> Iterable[Moment]:
    rollout = make()
    rollout.run()
    writes, sleeps = range(1, rollout.journal.writes + 1), range(1, rollout.clock.sleeps + 1)
    return [*(("before write", n) for n in writes), *(("after write", n) for n in writes), *(("in sleep", n) for n in sleeps)]


def killed(make: Callable[[], Rollout], moment: Moment) -> Rollout:
    """What is left of a rollout whose labctl was killed then; its users are served all the same."""
    rollout, (kind, number) = make(), moment
    if kind == "in sleep":
        rollout.clock.kill_at = number
    else:
        rollout.journal.kill_at, rollout.journal.kill_after = number, kind == "after write"
    with pytest.raises(Killed):
        rollout.run()
    state = rollout.platform.state()
    assert state.traffic is not None
    for slot in Slot:
        assert state.slots[slot].ready >= replicas_needed(rollout.options.replicas, state.traffic.percent(slot))
    return rollout


def require_clean(rollout: Rollout, ended: Ended) -> None:
    assert ended.left == ""
    assert rollout.platform.state() == (rollout.candidate_alone if rollout.promoted else rollout.stable_alone)
    assert rollout.platform.broken == []
    assert rollout.journal.events[-1] == ended
    assert all(changes[0] == ROUTE_BACK for changes in changes_of_each_way_back(rollout.story) if changes)


@pytest.mark.parametrize("moment", moments_of(good), ids=str)
def test_resume_brings_a_good_candidate_to_its_promotion(moment: Moment) -> None:
    rollout = killed(good, moment)

    ended = rollout.resume()

    assert (ended.outcome, ended.exit_code) == (Outcome.PROMOTED, 0)
    assert rollout.promoted
    require_clean(rollout, ended)


@pytest.mark.parametrize("moment", moments_of(good), ids=str)
def test_abort_leads_back_before_promotion_and_to_the_end_after_it(moment: Moment) -> None:
    rollout = killed(good, moment)
    promoted = rollout.promoted

    ended = rollout.abort()

    assert (ended.outcome, ended.exit_code) == ((Outcome.PROMOTED, 0) if promoted else (Outcome.INTERRUPTED, 130))
    assert "labctl abort" in ended.reason
    require_clean(rollout, ended)


@pytest.mark.parametrize("moment", moments_of(bad), ids=str)
def test_resume_and_abort_bring_users_back_from_a_bad_candidate(moment: Moment) -> None:
    resumed, aborted = killed(bad, moment), killed(bad, moment)

    ended = resumed.resume()

    assert (ended.outcome, ended.exit_code) == (Outcome.ROLLED_BACK, 1)
    require_clean(resumed, ended)

    ended = aborted.abort()

    assert (ended.outcome, ended.exit_code) == (Outcome.INTERRUPTED, 130)
    require_clean(aborted, ended)


def test_a_resumed_rollout_begins_with_the_step_that_it_was_in() -> None:
    rollout = killed(good, ("in sleep", 60))
    before = list(rollout.journal.events)
    in_progress = max(event.index for event in before if isinstance(event, StepStarted))

    rollout.resume()

    assert first_open_step(before) == in_progress
    resumed = [event.index for event in rollout.journal.events[len(before) :] if isinstance(event, StepStarted)]
    assert resumed == list(range(in_progress, len(rollout.plan.steps)))


def test_every_step_is_killed_in_its_middle() -> None:
    """So the tests above have met each of them."""
    events = [killed(good, moment).journal.events for moment in moments_of(good) if moment[0] == "in sleep"]

    started = {max(event.index for event in each if isinstance(event, StepStarted)) for each in events}
    ended = {max((event.index for event in each if isinstance(event, StepEnded)), default=-1) for each in events}

    assert started == set(range(len(good().plan.steps)))
    assert ended == {index - 1 for index in started}


@pytest.mark.parametrize("proceed", [Rollout.resume, Rollout.abort])
def test_what_was_killed_on_its_way_out_can_be_killed_there_again(proceed: Callable[[Rollout], Ended]) -> None:
    rollout = bad()
    rollout.run()
    back = 1 + next(n for n, e in enumerate(rollout.journal.events) if isinstance(e, StepStarted) and e.way_back)
    rollout = killed(bad, ("after write", back))
    for _ in range(3):
        rollout.journal.kill_at = rollout.journal.writes + 3
        with pytest.raises(Killed):
            proceed(rollout)

    require_clean(rollout, proceed(rollout))
