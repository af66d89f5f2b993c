"""The way forward: what is done in which order, what is waited for, and what is written down."""

from itertools import pairwise

import msgspec
import pytest

from strategies.blue_green import BlueGreenOptions, blue_green
from strategies.events import Ended, Looked, ObjectiveSet, Outcome, PhaseStarted, Settled, StepEnded, StepStarted, Witnessed
from strategies.judgement import Verdict
from strategies.performing import PROBE_AFTER
from strategies.plan import Baseline, Hold, Plan, Release, title
from strategies.traffic import Slot, Traffic
from tests.unit.strategies.rollout import OPTIONS, Rollout

BLUE, GREEN = Slot.BLUE, Slot.GREEN


def v2(replicas: int) -> Release:
    return Release(version="v2", replicas=replicas)


def weight(percent: int) -> tuple[str, Traffic]:
    return "route", Traffic(stable=BLUE, weight=percent)


def test_a_promoted_rollout_changes_this_in_this_order() -> None:
    rollout = Rollout()

    ended = rollout.run()

    assert (ended.outcome, ended.exit_code, ended.reason, ended.left) == (Outcome.PROMOTED, 0, "v2 is stable now, in green", "")
    assert rollout.changes == [
        ("deploy", GREEN, v2(1)),
        weight(10),
        ("deploy", GREEN, v2(3)),
        weight(100),
        ("route", Traffic(stable=GREEN)),
        ("retire", BLUE),
    ]
    assert rollout.platform.state() == rollout.candidate_alone
    assert rollout.platform.broken == []


def test_several_steps_grow_the_capacity_before_each_weight() -> None:
    rollout = Rollout(msgspec.structs.replace(OPTIONS, weights=(10, 25, 50), replicas=10))

    ended = rollout.run()

    assert ended.outcome is Outcome.PROMOTED
    assert rollout.changes == [
        ("deploy", GREEN, v2(1)),
        weight(10),
        ("deploy", GREEN, v2(3)),
        weight(25),
        ("deploy", GREEN, v2(5)),
        weight(50),
        ("deploy", GREEN, v2(10)),
        weight(100),
        ("route", Traffic(stable=GREEN)),
        ("retire", BLUE),
    ]
    assert rollout.platform.broken == []


def test_each_step_is_written_before_it_starts_and_after_it_ended() -> None:
    rollout = Rollout()

    rollout.run()

    steps = [event for event in rollout.journal.events if isinstance(event, StepStarted | StepEnded)]
    expected = [(index, kind) for index in range(len(rollout.plan.steps)) for kind in (StepStarted, StepEnded)]
    assert [(event.index, type(event)) for event in steps] == expected
    assert [event.title for event in steps if isinstance(event, StepStarted)] == [title(step) for step in rollout.plan.steps]
    # no change outside of a step
    changes = [position for position, entry in enumerate(rollout.story) if isinstance(entry, tuple) and entry != ("observe",)]
    bounds = [position for position, entry in enumerate(rollout.story) if isinstance(entry, StepStarted | StepEnded)]
    steps_at = list(zip(bounds[::2], bounds[1::2], strict=True))
    assert all(any(start < change < end for start, end in steps_at) for change in changes)


def test_the_record_tells_the_phases_the_shares_and_the_looks() -> None:
    rollout = Rollout()

    rollout.run()

    events = rollout.journal.events
    assert [(event.name, event.weight) for event in events if isinstance(event, PhaseStarted)] == [
        ("baseline", 0),
        ("deploy v2 ×1", 0),
        ("10 %", 10),
        ("deploy v2 ×3", 10),
        ("100 %", 100),
        ("promoted", 0),
        ("drain", 0),
    ]
    assert [event.seconds for event in events if isinstance(event, ObjectiveSet)] == [0.25]
    assert [(event.weight, event.candidate, event.answers) for event in events if isinstance(event, Settled)] == [
        (10, 100, 1000),
        (100, 1000, 1000),
    ]
    verdicts = [event.judgement.verdict for event in events if isinstance(event, Looked)]
    assert verdicts == [Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE, Verdict.PASS]
    assert sum(isinstance(event, Witnessed) for event in events) == 1
    assert [type(event) for event in events].count(Ended) == 1
    assert isinstance(events[-1], Ended)
    assert all(earlier.at <= later.at for earlier, later in pairwise(events))


def test_a_canary_of_ten_minutes_takes_ten_minutes() -> None:
    rollout = Rollout(msgspec.structs.replace(OPTIONS, hold=600.0))

    assert rollout.run().outcome is Outcome.PROMOTED

    looks = [event.at for event in rollout.journal.events if isinstance(event, Looked)]
    assert len(looks) == 1200
    assert (looks[-1] - looks[0]).total_seconds() == pytest.approx(599.5)


def test_a_preview_has_its_whole_time_once_its_users_are_there() -> None:
    rollout = Rollout(plan=blue_green(BlueGreenOptions(to_version="v2", stable=Slot.BLUE, preview=6.0)))
    rollout.witness.begin_seconds = 5.0

    assert rollout.run().outcome is Outcome.PROMOTED

    routed = next(event.at for event in rollout.journal.events if isinstance(event, Settled))
    looks = [(event.at - routed).total_seconds() for event in rollout.journal.events if isinstance(event, Looked)][:12]
    assert [looks[0], looks[-1]] == pytest.approx([5.5, 11.0])


def test_an_analysis_of_no_time_looks_once() -> None:
    rollout = Rollout(msgspec.structs.replace(OPTIONS, hold=0.0, baseline=0.0, keep=0.0))

    assert rollout.run().outcome is Outcome.PROMOTED
    assert sum(isinstance(event, Looked) for event in rollout.journal.events) == 1
    assert rollout.platform.broken == []


def test_a_weight_is_settled_only_when_the_answers_fit_it() -> None:
    rollout = Rollout()
    rollout.witness.settle_seconds = 3.0

    rollout.run()

    assert all(event.seconds == pytest.approx(3.0, abs=0.1) for event in rollout.journal.events if isinstance(event, Settled))


def test_probes_are_sent_only_where_users_do_not_settle_it_in_time() -> None:
    busy, idle = Rollout(), Rollout()
    idle.witness.idle = True

    busy.run()
    idle.run()

    settled = {name: [e for e in each.journal.events if isinstance(e, Settled)] for name, each in (("busy", busy), ("idle", idle))}
    assert all(event.probes == 0 and event.seconds < PROBE_AFTER for event in settled["busy"])
    assert all(event.probes == event.answers == 100 and PROBE_AFTER < event.seconds < 1.2 for event in settled["idle"])


def test_without_users_there_is_no_objective_and_nothing_is_promoted() -> None:
    rollout = Rollout()
    rollout.witness.idle = True

    ended = rollout.run()

    assert (ended.outcome, ended.exit_code) == (Outcome.INCONCLUSIVE, 3)
    assert not any(isinstance(event, ObjectiveSet) for event in rollout.journal.events)
    assert rollout.platform.state() == rollout.stable_alone


def test_a_broken_stable_does_not_block_the_way_forward() -> None:
    rollout = Rollout()
    rollout.platform.break_down(BLUE)

    ended = rollout.run()

    assert ended.outcome is Outcome.PROMOTED
    assert rollout.platform.state() == rollout.candidate_alone
    assert rollout.platform.broken == []


def test_a_plan_without_promotion_is_completed() -> None:
    rollout = Rollout()
    rollout.plan = Plan(strategy="watch", replicas=3, steps=(Baseline(1.0), Hold(1.0, "watched")))

    ended = rollout.run()

    assert (ended.outcome, ended.exit_code, ended.reason) == (Outcome.COMPLETED, 0, "all steps done")
    assert rollout.changes == []


def test_what_gave_up_without_a_way_back_says_only_why() -> None:
    rollout = Rollout()
    rollout.plan = Plan(strategy="watch", replicas=3, steps=(Baseline(1.0),))
    rollout.clock.interrupt_at = 1

    ended = rollout.run()

    assert (ended.outcome, ended.exit_code, ended.reason) == (Outcome.INTERRUPTED, 130, "SIGTERM received before promotion")
