"""Ctrl-C and SIGTERM at any moment: back before promotion, on to the end after it."""

import msgspec
import pytest

from strategies.errors import CouldNotRun, Interrupted, WitnessLost
from strategies.events import Outcome, StepStarted
from tests.fakes import Fault, Killed
from tests.unit.strategies.rollout import OPTIONS, Rollout, require_rolled_back


def patient() -> Rollout:
    """A rollout in which every step takes time: the old version's last request outlives the hold."""
    rollout = Rollout()
    rollout.platform.drain_seconds = 2.0
    return rollout


def sleeps_of(rollout: Rollout) -> int:
    rollout.run()
    return rollout.clock.sleeps


@pytest.mark.parametrize("sleep", range(1, sleeps_of(patient()) + 1))
def test_an_interruption_leads_back_before_promotion_and_to_the_end_after_it(sleep: int) -> None:
    rollout = patient()
    rollout.clock.interrupt_at = sleep

    ended = rollout.run()

    assert ended.left == ""
    if rollout.promoted:
        assert (ended.outcome, ended.exit_code) == (Outcome.PROMOTED, 0)
        assert ended.reason == "v2 is stable now, in green; SIGTERM received after promotion, so the rest was completed"
        assert rollout.platform.state() == rollout.candidate_alone
        assert rollout.platform.broken == []
    else:
        assert (ended.outcome, ended.exit_code) == (Outcome.INTERRUPTED, 130)
        assert ended.reason == "SIGTERM received before promotion; rolled back, stable has all the traffic"
        require_rolled_back(rollout)


def test_every_step_can_be_interrupted() -> None:
    """So the test above has met each of them."""
    met = set()
    for sleep in range(1, sleeps_of(patient()) + 1):
        rollout = patient()
        rollout.clock.kill_at = sleep
        with pytest.raises(Killed):
            rollout.run()
        met.add(next(event.index for event in reversed(rollout.journal.events) if isinstance(event, StepStarted)))

    assert met == set(range(len(rollout.plan.steps)))


def test_the_hold_is_not_waited_out_after_an_interruption() -> None:
    rollout = Rollout(msgspec.structs.replace(OPTIONS, keep=3600.0))
    rollout.clock.interrupt_at = sleeps_of(Rollout()) - 1

    ended = rollout.run()

    assert ended.outcome is Outcome.PROMOTED
    assert rollout.clock.monotonic() < 60


def test_the_way_back_is_not_interrupted() -> None:
    """Signals go on arriving after the first one."""
    rollout = Rollout()
    rollout.clock.interrupt_at = 50
    rollout.platform.faults.append(Fault("retire", lasts=5.0))

    ended = rollout.run()

    assert (ended.outcome, ended.exit_code, ended.left) == (Outcome.INTERRUPTED, 130, "")
    require_rolled_back(rollout)


@pytest.mark.parametrize(
    ("error", "outcome", "exit_code"),
    [
        (Interrupted("Ctrl-C received"), Outcome.INTERRUPTED, 130),
        (WitnessLost("the users have sent nothing yet"), Outcome.ERROR, 3),
    ],
)
def test_a_rollout_can_be_given_up_before_it_began(error: CouldNotRun, outcome: Outcome, exit_code: int) -> None:
    rollout = Rollout()

    ended = rollout.give_up(error)

    assert (ended.outcome, ended.exit_code) == (outcome, exit_code)
    assert ended.reason.startswith(str(error))
    require_rolled_back(rollout)
