"""Only a good verdict on a candidate that carries its share goes on; every other way out leads users back to stable."""

from math import inf

import msgspec
import pytest

from strategies.errors import TakenOver, WitnessLost
from strategies.events import Ended, Looked, Noted, Outcome, PhaseStarted, StepStarted, Witnessed
from strategies.judgement import Verdict
from strategies.plan import Promote, Release
from strategies.traffic import Slot, Traffic
from tests.fakes import Fault
from tests.unit.strategies.rollout import OPTIONS, ROUTE_BACK, Rollout, require_rolled_back

BLUE, GREEN = Slot.BLUE, Slot.GREEN
WAY_BACK = [ROUTE_BACK, ("retire", GREEN)]


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


def test_users_live_in_one_phase_during_the_whole_way_back() -> None:
    """So what the way back costs is told in one place."""
    rollout = Rollout()
    rollout.witness.verdicts = {10: Verdict.FAIL}

    rollout.run()

    phases = [(event.name, event.weight) for event in rollout.journal.events if isinstance(event, PhaseStarted)]
    assert phases == [("baseline", 0), ("deploy v2 ×1", 0), ("10 %", 10), ("way back", 0)]


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


@pytest.mark.parametrize("call", [1, 2])
def test_a_rollout_that_somebody_has_taken_over_is_left_to_them(call: int) -> None:
    """Whether it is learnt on the way forward or on the way back: nothing is changed any more, and nothing tried again."""
    rollout = Rollout()
    rollout.witness.verdicts = {10: Verdict.FAIL}
    rollout.platform.faults = [Fault("route", nth=call, error=TakenOver, lasts=inf)]

    ended = rollout.run()

    assert (ended.outcome, ended.exit_code) == (Outcome.ERROR, 3)
    assert ended.left == "what is the other's to do by now"
    assert "stable has all the traffic" not in ended.reason
    assert [change[0] for change in rollout.changes] == ["deploy", *["route"] * call]


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

    assert ended.reason.startswith("to get 10 % takes 1 ready replicas in green, and 0 are;")
    assert (ended.outcome, ended.exit_code) == (Outcome.ERROR, 3)
    require_rolled_back(rollout)


def test_a_share_that_does_not_settle_leads_back() -> None:
    rollout = Rollout()
    rollout.witness.unsettled = frozenset({10})

    ended = rollout.run()

    assert (ended.outcome, ended.exit_code) == (Outcome.ERROR, 3)
    assert ended.reason.startswith("the candidate was to get 10 %, but 0 of 1100 answers since came from it; see whether")
    require_rolled_back(rollout)


def test_a_candidate_that_does_not_have_all_the_traffic_is_not_promoted() -> None:
    """A resumed labctl may find that the world is not what the record says."""
    rollout = Rollout()
    promotion = next(index for index, step in enumerate(rollout.plan.steps) if isinstance(step, Promote))

    ended = rollout.run(first=promotion)

    assert (ended.outcome, ended.exit_code) == (Outcome.ERROR, 3)
    require_rolled_back(rollout)


def test_nothing_is_analysed_where_nothing_is_routed() -> None:
    rollout = Rollout()
    rollout.platform.forget_routes()

    ended = rollout.run(first=3)

    assert ended.reason.startswith("nothing is routed, so nothing can be analysed;")
    assert (ended.outcome, ended.exit_code) == (Outcome.ERROR, 3)
