"""Every way out of a rollout: a verdict, a lost witness, a fault, an interruption. Users end where they are safe."""

import logging
from itertools import groupby
from math import inf

import msgspec
import pytest

from strategies.errors import CouldNotRun, Interrupted, RouteRefused, WitnessLost
from strategies.events import Ended, Looked, Noted, Outcome, StepStarted, Witnessed
from strategies.judgement import Verdict
from strategies.plan import Release
from strategies.traffic import Slot, Traffic
from tests.fakes import Fault, Killed
from tests.unit.strategies.rollout import OPTIONS, ROUTE_BACK, Rollout, changes_of_each_way_back

BLUE, GREEN = Slot.BLUE, Slot.GREEN
WAY_BACK = [ROUTE_BACK, ("retire", GREEN)]


def require_rolled_back(rollout: Rollout) -> None:
    assert rollout.platform.state() == rollout.stable_alone
    assert rollout.platform.broken == []
    tried = changes_of_each_way_back(rollout.story)[-1]
    assert [change for change, _ in groupby(tried)] == WAY_BACK
    assert isinstance(rollout.journal.events[-1], Ended)


def patient() -> Rollout:
    """A rollout in which every step takes time: the old version's last request outlives the hold."""
    rollout = Rollout()
    rollout.platform.drain_seconds = 2.0
    return rollout


def sleeps_of(rollout: Rollout) -> int:
    rollout.run()
    return rollout.clock.sleeps


# --- verdicts and witnesses ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdict", "outcome", "exit_code"),
    [
        (Verdict.FAIL, Outcome.ROLLED_BACK, 1),
        (Verdict.INCONCLUSIVE, Outcome.INCONCLUSIVE, 3),
        (Verdict.ERROR, Outcome.ERROR, 3),
    ],
)
def test_only_pass_goes_on(verdict: Verdict, outcome: Outcome, exit_code: int) -> None:
    rollout = Rollout()
    rollout.witness.verdicts = {10: verdict}

    ended = rollout.run()

    assert (ended.outcome, ended.exit_code, ended.left) == (outcome, exit_code, "")
    assert ended.reason == f"{verdict} at 10 %; rolled back, stable has all the traffic"
    assert rollout.changes == [("deploy", GREEN, Release(version="v2", replicas=1)), ("route", Traffic(stable=BLUE, weight=10)), *WAY_BACK]
    require_rolled_back(rollout)


@pytest.mark.parametrize("weight", [10, 25, 50])
def test_a_bad_verdict_at_any_step_leads_back(weight: int) -> None:
    rollout = Rollout(msgspec.structs.replace(OPTIONS, weights=(10, 25, 50), replicas=10))
    rollout.witness.verdicts = {weight: Verdict.FAIL}

    ended = rollout.run()

    assert (ended.outcome, ended.exit_code) == (Outcome.ROLLED_BACK, 1)
    assert max(call[1].weight for call in rollout.changes if isinstance(call[1], Traffic)) == weight
    require_rolled_back(rollout)


@pytest.mark.parametrize("verdict", [Verdict.FAIL, Verdict.ERROR])
def test_harm_is_not_watched_to_the_end(verdict: Verdict) -> None:
    """FAIL and ERROR at the second look: no third one, and weight 0 at once."""
    rollout = Rollout()
    rollout.witness.verdicts = {10: verdict}

    rollout.run()

    looks = [event for event in rollout.journal.events if isinstance(event, Looked)]
    assert [look.judgement.verdict for look in looks] == [Verdict.INCONCLUSIVE, verdict]
    back = next(event for event in rollout.journal.events if isinstance(event, StepStarted) and event.way_back)
    assert back.at == looks[-1].at


def test_the_second_witness_is_asked_after_a_bad_verdict_too_but_only_once_users_are_safe() -> None:
    rollout = Rollout()
    rollout.witness.verdicts = {10: Verdict.FAIL}

    rollout.run()

    assert [type(event) for event in rollout.journal.events[-2:]] == [Witnessed, Ended]


@pytest.mark.parametrize("look", range(1, 5))
def test_a_lost_witness_leads_back(look: int) -> None:
    rollout = Rollout()
    rollout.witness.lost_at = look

    ended = rollout.run()

    assert (ended.outcome, ended.exit_code) == (Outcome.ERROR, 3)
    assert ended.reason == "the users' log cannot be read; rolled back, stable has all the traffic"
    assert Noted(at=ended.at, text="the second witness did not answer: the users' log cannot be read") in rollout.journal.events
    require_rolled_back(rollout)


def test_a_lost_second_witness_leads_back_from_a_pass() -> None:
    rollout = Rollout()
    rollout.witness.second_error = WitnessLost

    ended = rollout.run()

    assert (ended.outcome, ended.exit_code) == (Outcome.ERROR, 3)
    assert ended.reason == "Prometheus does not answer; rolled back, stable has all the traffic"
    require_rolled_back(rollout)


def test_a_lost_second_witness_does_not_hide_a_bad_verdict() -> None:
    rollout = Rollout()
    rollout.witness.second_error = WitnessLost
    rollout.witness.verdicts = {10: Verdict.FAIL}

    ended = rollout.run()

    assert (ended.outcome, ended.exit_code) == (Outcome.ROLLED_BACK, 1)
    require_rolled_back(rollout)


# --- capacity and shares ---------------------------------------------------------------------------------------------


def test_a_candidate_that_never_gets_ready_gets_no_weight() -> None:
    rollout = Rollout()
    rollout.platform.start_seconds = inf

    ended = rollout.run()

    assert (ended.outcome, ended.exit_code) == (Outcome.ERROR, 3)
    assert ended.reason.startswith("0 of 1 replicas in green are ready (waited 10 s)")
    assert rollout.changes == [("deploy", GREEN, Release(version="v2", replicas=1)), *WAY_BACK]
    require_rolled_back(rollout)


def test_a_candidate_that_died_after_its_deployment_gets_no_weight() -> None:
    rollout = Rollout()
    rollout.platform.deploy(GREEN, Release(version="v2", replicas=1))
    rollout.platform.break_down(GREEN)

    ended = rollout.run(first=2)

    assert ended.reason.startswith("a weight of 10 % needs 1 ready replicas in green, and 0 are;")
    assert (ended.outcome, ended.exit_code) == (Outcome.ERROR, 3)
    require_rolled_back(rollout)


def test_a_share_that_does_not_settle_leads_back() -> None:
    rollout = Rollout()
    rollout.witness.unsettled = frozenset({10})

    ended = rollout.run()

    assert (ended.outcome, ended.exit_code) == (Outcome.ERROR, 3)
    assert ended.reason.startswith("the weight was set to 10 %, but 0 of 1100 answers since came from the candidate; see whether")
    require_rolled_back(rollout)


def test_nothing_is_analysed_where_nothing_is_routed() -> None:
    rollout = Rollout()
    rollout.platform.forget_routes()

    ended = rollout.run(first=3)

    assert ended.reason.startswith("nothing is routed, so nothing can be analysed;")
    assert (ended.outcome, ended.exit_code) == (Outcome.ERROR, 3)


# --- faults ----------------------------------------------------------------------------------------------------------

FAULTS = [("deploy", 1), ("deploy", 2), ("route", 1), ("route", 2), ("route", 3), *(("observe", call) for call in range(1, 9))]
"""Verbs before the end of the promotion, and which of their calls fails. Promotion is the third change of routes."""
UNFORESEEN = ZeroDivisionError


@pytest.mark.parametrize("error", [CouldNotRun, UNFORESEEN])
@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("verb", "call"), FAULTS)
def test_a_fault_before_promotion_leads_back(verb: str, call: int, done: bool, error: type[Exception]) -> None:
    rollout = Rollout()
    rollout.platform.faults.append(Fault(verb, nth=call, error=error, done=done))

    ended = rollout.run()

    assert (ended.outcome, ended.exit_code, ended.left) == (Outcome.ERROR, 3, "")
    assert verb in ended.reason
    require_rolled_back(rollout)


def test_a_fault_of_our_own_is_named_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    rollout = Rollout()
    rollout.platform.faults.append(Fault("route", error=UNFORESEEN))

    ended = rollout.run()

    assert ended.reason.startswith("the lab itself failed: ZeroDivisionError('route failed')")
    assert any(record.levelno == logging.ERROR and record.exc_info for record in caplog.records)


@pytest.mark.parametrize("error", [CouldNotRun, UNFORESEEN])
@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("verb", ["observe", "retire"])
def test_a_fault_after_promotion_does_not_keep_the_rest_from_being_completed(verb: str, done: bool, error: type[Exception]) -> None:
    calls = Rollout()
    calls.run()
    last = sum(call[0] == verb for call in calls.calls)
    rollout = Rollout()
    rollout.platform.faults.append(Fault(verb, nth=last, error=error, done=done))

    ended = rollout.run()

    assert (ended.outcome, ended.exit_code, ended.left) == (Outcome.PROMOTED, 0, "")
    assert ended.reason.startswith("v2 is stable now, in green; but then: ")
    assert rollout.platform.state() == rollout.candidate_alone
    assert rollout.platform.broken == []


@pytest.mark.parametrize("error", [RouteRefused, UNFORESEEN])
@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("verb", "call"), [("route", 2), ("retire", 1), ("observe", 6), ("observe", 7)])
@pytest.mark.parametrize("lasts", [0.0, 3.0])
def test_a_fault_that_passes_is_survived_by_the_way_back(verb: str, call: int, done: bool, error: type[Exception], lasts: float) -> None:
    """The second change of routes is the way back's, and from the sixth look at the platform on they are too."""
    rollout = Rollout()
    rollout.witness.verdicts = {10: Verdict.FAIL}
    rollout.platform.faults.append(Fault(verb, nth=call, error=error, lasts=lasts, done=done))

    ended = rollout.run()

    assert (ended.outcome, ended.exit_code, ended.left) == (Outcome.ROLLED_BACK, 1, "")
    require_rolled_back(rollout)


def test_what_is_tried_again_is_noted() -> None:
    rollout = Rollout()
    rollout.witness.verdicts = {10: Verdict.FAIL}
    rollout.platform.faults.append(Fault("route", nth=2, error=RouteRefused, lasts=0.7))

    rollout.run()

    notes = [event.text for event in rollout.journal.events if isinstance(event, Noted)]
    assert notes == ["will try again: route failed", "will try again: route failed"]


@pytest.mark.parametrize("error", [RouteRefused, UNFORESEEN])
@pytest.mark.parametrize(
    ("verb", "call", "left"),
    [
        ("route", 2, "route 100 % to blue, 0 % to green; drain green; retire green"),
        ("retire", 1, "retire green"),
    ],
)
def test_a_fault_that_lasts_is_given_up_on_and_what_is_left_is_named(verb: str, call: int, left: str, error: type[Exception]) -> None:
    rollout = Rollout()
    rollout.witness.verdicts = {10: Verdict.FAIL}
    rollout.platform.faults.append(Fault(verb, nth=call, error=error, lasts=inf))

    ended = rollout.run()

    assert (ended.outcome, ended.exit_code, ended.left) == (Outcome.ERROR, 3, left)
    assert ended.reason == "FAIL at 10 %"
    assert rollout.journal.events[-1] == ended
    assert rollout.platform.broken == []

    rollout.platform.faults.clear()
    assert rollout.resume().left == ""
    require_rolled_back(rollout)


def test_a_request_that_hangs_keeps_its_replica_but_users_are_safe() -> None:
    rollout = Rollout()
    rollout.witness.verdicts = {10: Verdict.FAIL}
    rollout.platform.drain_seconds = inf

    ended = rollout.run()

    assert (ended.outcome, ended.exit_code, ended.left) == (Outcome.ERROR, 3, "drain green; retire green")
    state = rollout.platform.state()
    assert state.traffic == Traffic(stable=BLUE)
    assert state.slots[GREEN].ready == 1
    assert Noted(at=ended.at, text="gave up after 10 s: green still has requests in flight (waited 10 s)") in rollout.journal.events


@pytest.mark.parametrize("error", [CouldNotRun, UNFORESEEN])
@pytest.mark.parametrize("call", range(1, 8))
def test_weight_0_comes_first_even_if_the_platform_cannot_be_observed(call: int, error: type[Exception]) -> None:
    """The way back needs no look at the platform to take the traffic away: a proxy that takes routes is enough."""
    rollout = Rollout()
    rollout.witness.verdicts = {10: Verdict.FAIL}
    rollout.platform.faults.append(Fault("observe", nth=call, error=error, lasts=inf))

    ended = rollout.run()

    assert rollout.platform.state().traffic == Traffic(stable=BLUE)
    assert rollout.changes[-1] == ROUTE_BACK
    assert (ended.outcome, ended.exit_code) == (Outcome.ERROR, 3)
    assert "drain green; retire green" in ended.left


def test_a_fault_that_lasts_after_promotion_leaves_all_traffic_with_what_was_promoted() -> None:
    rollout = Rollout()
    rollout.platform.faults.append(Fault("retire", lasts=inf))

    ended = rollout.run()

    assert (ended.outcome, ended.exit_code, ended.left) == (Outcome.ERROR, 3, "retire blue")
    assert rollout.platform.state().traffic == Traffic(stable=GREEN)
    assert rollout.platform.state().slots[GREEN].ready == 3
    assert rollout.platform.broken == []

    rollout.platform.faults.clear()
    ended = rollout.resume()
    assert (ended.outcome, ended.exit_code, ended.left) == (Outcome.PROMOTED, 0, "")
    assert rollout.platform.state() == rollout.candidate_alone


def test_a_second_witness_that_fails_in_an_unforeseen_way_does_not_hide_how_it_ended() -> None:
    rollout = Rollout()
    rollout.witness.verdicts = {10: Verdict.FAIL}
    rollout.witness.second_error = UNFORESEEN

    ended = rollout.run()

    assert (ended.outcome, ended.exit_code) == (Outcome.ROLLED_BACK, 1)
    require_rolled_back(rollout)


# --- interruptions ---------------------------------------------------------------------------------------------------


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
