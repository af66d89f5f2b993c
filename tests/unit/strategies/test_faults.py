"""Verbs that fail once, for a while or for ever, in foreseen and unforeseen ways, on the way forward and on the way back."""

import logging
from math import inf

import pytest

from strategies.errors import CouldNotRun, RouteRefused
from strategies.events import Noted, Outcome
from strategies.judgement import Verdict
from strategies.traffic import Slot, Traffic
from tests.fakes import Fault
from tests.unit.strategies.rollout import ROUTE_BACK, Rollout, require_rolled_back

BLUE, GREEN = Slot.BLUE, Slot.GREEN
UNFORESEEN = ZeroDivisionError


def calls_before_promotion() -> list[tuple[str, int]]:
    """Each call of the platform that is not after the promotion: its verb, and the how many-th of that verb it is."""
    rollout = Rollout()
    rollout.run()
    verbs = [str(verb) for verb, *_ in rollout.calls[: rollout.calls.index(("route", Traffic(stable=GREEN))) + 1]]
    return [(verb, verbs[: position + 1].count(verb)) for position, verb in enumerate(verbs)]


@pytest.mark.parametrize("error", [CouldNotRun, UNFORESEEN])
@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("verb", "call"), calls_before_promotion())
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
