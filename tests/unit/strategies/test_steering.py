"""What a person says in another terminal is done, and the candidate is judged all the while."""

from collections.abc import Callable
from math import inf

import msgspec
import pytest

from strategies.ab_test import AbTestOptions, ab_test
from strategies.blue_green import BlueGreenOptions, blue_green
from strategies.errors import TakenOver
from strategies.events import Ended, Looked, Noted, ObjectiveSet, Outcome, PhaseStarted, StepStarted
from strategies.judgement import Verdict
from strategies.plan import Plan, Route, Subject
from strategies.shadow import ShadowOptions, shadow
from strategies.steering import Command, paused
from strategies.traffic import Slot, Traffic
from tests.fakes import Fault, Killed
from tests.unit.strategies.rollout import OPTIONS, Kill, Rollout, require_rolled_back

MANUAL = msgspec.structs.replace(OPTIONS, manual=True)


def says(rollout: Rollout, *commands: Command, in_phase: str, after: int = 0) -> None:
    """A person says `commands` once the phase `in_phase` has had `after` looks or naps."""
    naps = [0]

    def watch() -> None:
        phases = [event.name for event in rollout.journal.events if isinstance(event, PhaseStarted)]
        if phases and phases[-1] == in_phase:
            naps[0] += 1
            if naps[0] == after + 1:
                rollout.words.say(*commands)

    rollout.clock.watchers.append(watch)


def notes(rollout: Rollout) -> list[str]:
    return [event.text for event in rollout.journal.events if isinstance(event, Noted)]


def looks(rollout: Rollout) -> int:
    return sum(isinstance(event, Looked) for event in rollout.journal.events)


def test_a_gate_waits_for_a_word_however_long_it_takes() -> None:
    rollout = Rollout(MANUAL)
    says(rollout, Command.PROMOTE, in_phase="gate", after=1000)

    ended = rollout.run()

    assert ended.outcome is Outcome.PROMOTED
    assert rollout.clock.monotonic() > 500
    assert looks(rollout) > 1000


def test_at_a_gate_a_candidate_that_turns_bad_is_rolled_back() -> None:
    rollout = Rollout(MANUAL)

    def turn_bad() -> None:
        if any(isinstance(event, PhaseStarted) and event.name == "gate" for event in rollout.journal.events):
            rollout.witness.verdicts = {10: Verdict.FAIL}

    rollout.clock.watchers.append(turn_bad)

    assert rollout.run().outcome is Outcome.ROLLED_BACK
    require_rolled_back(rollout)


def test_a_pause_stops_the_plans_time_and_not_the_judging() -> None:
    plain, paused = Rollout(), Rollout()
    says(paused, Command.PAUSE, in_phase="10 %", after=3)
    # the naps of a pause are half a second each
    says(paused, Command.RESUME, in_phase="10 %", after=203)

    assert plain.run().outcome is paused.run().outcome is Outcome.PROMOTED
    assert paused.clock.monotonic() - plain.clock.monotonic() == pytest.approx(100, abs=2)
    assert looks(paused) - looks(plain) == pytest.approx(200, abs=3)


def test_a_paused_candidate_that_turns_bad_is_rolled_back() -> None:
    rollout = Rollout()
    rollout.witness.verdicts = {10: Verdict.FAIL}
    says(rollout, Command.PAUSE, in_phase="10 %")

    assert rollout.run().outcome is Outcome.ROLLED_BACK
    require_rolled_back(rollout)


def test_a_promoted_analysis_is_not_waited_for_and_the_record_says_who_wanted_that() -> None:
    rollout = Rollout(msgspec.structs.replace(OPTIONS, hold=10_000.0))
    says(rollout, Command.PROMOTE, in_phase="10 %", after=8)

    ended = rollout.run()

    assert ended.outcome is Outcome.PROMOTED
    assert rollout.clock.monotonic() < 100
    assert "a person asked to promote" in notes(rollout)


def test_a_word_skips_one_wait_and_full_skips_all() -> None:
    options = msgspec.structs.replace(OPTIONS, weights=(10, 50), hold=1000.0, manual=True)
    once, full = Rollout(options), Rollout(options)
    says(once, Command.PROMOTE, in_phase="10 %", after=8)
    once.witness.verdicts = {50: Verdict.FAIL}
    says(once, Command.PROMOTE, in_phase="gate", after=2)
    says(full, Command.PROMOTE_FULL, in_phase="10 %", after=8)

    assert once.run().outcome is Outcome.ROLLED_BACK
    assert full.run().outcome is Outcome.PROMOTED
    assert full.clock.monotonic() < 100


def test_while_the_old_version_is_kept_one_word_gives_it_back_at_once() -> None:
    """Nothing is started for it: the routes change, then the new version goes."""
    rollout = Rollout(msgspec.structs.replace(OPTIONS, keep=1000.0))
    says(rollout, Command.UNDO, in_phase="promoted")
    replicas = rollout.platform.state().slots[Slot.BLUE]

    ended = rollout.run()

    assert (ended.outcome, ended.exit_code) == (Outcome.INTERRUPTED, 130)
    assert "asked to undo" in ended.reason
    assert rollout.clock.monotonic() < 500
    assert rollout.platform.state().slots[Slot.BLUE] == replicas
    require_rolled_back(rollout)


@pytest.mark.parametrize("finish", [Rollout.resume, Rollout.abort])
@pytest.mark.parametrize("write", range(30, 60))
def test_who_is_killed_while_it_is_undone_undoes_it_to_its_end(write: int, finish: Callable[[Rollout], Ended]) -> None:
    """Killed before it was heard, the promotion stands; killed after, it does not: never something in between."""
    rollout = Rollout(OPTIONS)
    says(rollout, Command.UNDO, in_phase="promoted")

    rollout.run_through((Kill(write=write, after=True, then_abort=finish is Rollout.abort),))

    assert rollout.platform.state() in (rollout.stable_alone, rollout.candidate_alone)
    assert rollout.platform.broken == []


@pytest.mark.parametrize(("verdict", "outcome"), [(Verdict.FAIL, Outcome.ROLLED_BACK), (Verdict.PASS, Outcome.PROMOTED)])
def test_before_the_promotion_the_same_word_changes_nothing(verdict: Verdict, outcome: Outcome) -> None:
    """There is nothing to undo, no analysis may be cut short by it, and a promotion that comes later was not meant."""
    rollout = Rollout(OPTIONS)
    says(rollout, Command.UNDO, in_phase="10 %")
    rollout.witness.verdicts = {10: verdict}

    assert rollout.run().outcome is outcome


def test_a_word_that_nothing_waited_for_is_not_kept_for_the_next_wait() -> None:
    """Said while a replica starts, it would else skip an analysis that nobody had begun."""
    rollout = Rollout()
    rollout.witness.verdicts = {10: Verdict.FAIL}
    says(rollout, Command.PROMOTE, in_phase="deploy v2 ×1")

    assert rollout.run().outcome is Outcome.ROLLED_BACK


@pytest.mark.parametrize(
    ("command", "phase", "vain"),
    [
        (Command.PROMOTE, "deploy v2 ×1", "nothing waits in this step, so the word promote is dropped"),
        (Command.RESUME, "10 %", "nothing is paused, so the word resume is dropped"),
        (Command.UNDO, "10 %", "nothing is promoted yet, so the word undo is dropped"),
        (Command.PAUSE, "way back", "a person asked to pause when the rollout was ending already, so the word is dropped"),
    ],
)
def test_a_word_that_has_no_effect_is_written_down_as_such(command: Command, phase: str, vain: str) -> None:
    rollout, plain = Rollout(), Rollout()
    rollout.witness.verdicts = plain.witness.verdicts = {10: Verdict.FAIL}
    says(rollout, command, in_phase=phase)

    ended = rollout.run()

    assert vain in notes(rollout)
    assert ended == plain.run()


def test_a_word_that_ends_a_pause_between_two_steps_is_not_called_dropped() -> None:
    rollout = Rollout()
    says(rollout, Command.PAUSE, Command.PROMOTE, in_phase="deploy v2 ×1")

    assert rollout.run().outcome is Outcome.PROMOTED
    assert not any("dropped" in note for note in notes(rollout))


def heard(rollout: Rollout, command: Command) -> float:
    """Seconds from the beginning until a word was heard."""
    events = rollout.journal.events
    word = next(event for event in events if isinstance(event, Noted) and event.text == f"a person asked to {command}")
    return (word.at - events[0].at).total_seconds()


def test_the_baseline_is_paused_within_two_seconds_and_goes_on_as_planned() -> None:
    plain, rollout = (Rollout(msgspec.structs.replace(OPTIONS, baseline=60.0)) for _ in range(2))
    says(rollout, Command.PAUSE, in_phase="baseline", after=4)
    # the naps of a pause are half a second each
    says(rollout, Command.RESUME, in_phase="baseline", after=204)

    assert plain.run().outcome is rollout.run().outcome is Outcome.PROMOTED
    assert heard(rollout, Command.PAUSE) == pytest.approx(2.5, abs=0.5)
    assert rollout.clock.monotonic() - plain.clock.monotonic() == pytest.approx(100, abs=2)


def test_the_rest_of_a_promoted_baseline_is_not_waited_for_and_what_there_was_of_it_counts() -> None:
    rollout = Rollout(msgspec.structs.replace(OPTIONS, baseline=600.0))
    says(rollout, Command.PROMOTE, in_phase="baseline", after=4)

    assert rollout.run().outcome is Outcome.PROMOTED
    assert rollout.clock.monotonic() < 60
    assert "the rest of the baseline was not waited for, as a person asked" in notes(rollout)
    assert any(isinstance(event, ObjectiveSet) for event in rollout.journal.events)


def test_a_baseline_is_aborted_within_two_seconds() -> None:
    """Between two naps that are interrupted lie half a second at most."""
    rollout = Rollout(msgspec.structs.replace(OPTIONS, baseline=60.0))
    rollout.clock.interrupt_at = 5

    assert rollout.run().outcome is Outcome.INTERRUPTED
    assert rollout.clock.monotonic() < 5
    assert rollout.platform.state() == rollout.stable_alone


def experiments(**more: bool) -> tuple[Plan, Plan]:
    """An A/B test and a shadow that last long; with `more`, they promote."""
    to, replicas = "v2", OPTIONS.replicas
    test = AbTestOptions(to_version=to, stable=Slot.BLUE, replicas=replicas, hold=600.0, promote_winner=bool(more))
    return ab_test(test), shadow(ShadowOptions(to_version=to, stable=Slot.BLUE, replicas=replicas, hold=600.0, promote=bool(more)))


@pytest.mark.parametrize("word", [Command.PROMOTE, Command.PROMOTE_FULL])
@pytest.mark.parametrize("plan", [*experiments(), *experiments(promote=True)])
def test_no_word_takes_the_place_of_a_verdict_that_is_the_result(plan: Plan, word: Command) -> None:
    """Too few to tell stays too few to tell, and the reason says that a person ended it before its time."""
    rollout = Rollout(OPTIONS, plan)
    rollout.witness.subjects = dict.fromkeys(Subject, Verdict.INCONCLUSIVE)
    says(rollout, word, in_phase=phase_of_analysis(plan), after=8)

    ended = rollout.run()

    assert (ended.outcome, ended.exit_code) == (Outcome.INCONCLUSIVE, 3)
    assert "a person asked to go on after" in ended.reason
    assert "of 600 s, so this was the last look" in ended.reason
    assert rollout.clock.monotonic() < 60
    assert rollout.platform.state().slots == rollout.stable_alone.slots


@pytest.mark.parametrize("plan", experiments(promote=True))
@pytest.mark.parametrize(
    ("verdict", "winner", "outcome"),
    [
        (Verdict.PASS, True, Outcome.PROMOTED),
        (Verdict.FAIL, False, Outcome.ROLLED_BACK),
        (Verdict.ERROR, False, Outcome.ERROR),
    ],
)
def test_an_experiment_that_a_person_ends_early_ends_as_its_last_look_says(
    plan: Plan, verdict: Verdict, winner: bool, outcome: Outcome
) -> None:
    rollout = Rollout(OPTIONS, plan)
    rollout.witness.winner = winner
    says(rollout, Command.PROMOTE_FULL, in_phase="baseline")
    rollout.witness.subjects = dict.fromkeys(Subject, verdict)

    ended = rollout.run()

    assert ended.outcome is outcome
    assert rollout.clock.monotonic() < 60


def phase_of_analysis(plan: Plan) -> str:
    """What users live in while the first analysis lasts."""
    return next(step.traffic.in_words() for step in plan.steps if isinstance(step, Route))


def test_a_preview_that_fails_is_met_by_nobody() -> None:
    plan = blue_green(BlueGreenOptions(to_version="v2", stable=Slot.BLUE, replicas=3, preview=5.0, hold=5.0, baseline=1.0))
    rollout = Rollout(OPTIONS, plan)
    rollout.witness.subjects = {Subject.PREVIEW: Verdict.FAIL}

    assert rollout.run().outcome is Outcome.ROLLED_BACK
    assert all(call[1].weight == 0 for call in rollout.changes if isinstance(call[1], Traffic))
    require_rolled_back(rollout)


def test_a_rollout_that_was_taken_over_ends_at_once_and_leaves_the_way_back_to_its_successor() -> None:
    """It cannot write any more, and trying until the timeout would only keep its users going."""
    rollout = Rollout()
    rollout.platform.faults.append(Fault("route", nth=2, error=TakenOver, lasts=inf))

    def take_over() -> None:
        rollout.words.taken_over = any(isinstance(event, PhaseStarted) and event.name == "10 %" for event in rollout.journal.events)

    rollout.clock.watchers.append(take_over)

    ended = rollout.run()

    assert (ended.outcome, ended.exit_code) == (Outcome.ERROR, 3)
    assert "has taken this rollout over" in ended.reason
    assert ended.left == "what is the other's to do by now"
    taken = next(event.at for event in rollout.journal.events if isinstance(event, PhaseStarted) and event.name == "10 %")
    assert (ended.at - taken).total_seconds() < 2


def test_a_run_is_paused_from_the_word_that_was_heard_to_the_one_that_ends_it() -> None:
    rollout = Rollout(MANUAL)
    says(rollout, Command.PAUSE, in_phase="gate", after=3)
    says(rollout, Command.RESUME, in_phase="gate", after=20)
    says(rollout, Command.PROMOTE, in_phase="gate", after=30)

    assert rollout.run().outcome is Outcome.PROMOTED

    events = rollout.journal.events
    words = [number for number, event in enumerate(events) if isinstance(event, Noted) and "asked to" in event.text]
    assert [paused(events[: number + 1]) for number in words[:3]] == [True, False, False]
    assert paused(events[: words[1]])
    # the text of a note is anybody's
    assert not paused([Noted(at=events[0].at, text="a person asked to dance")])


@pytest.mark.parametrize("way_back", [True, False])
def test_no_pause_outlives_its_labctl_or_the_way_forward(way_back: bool) -> None:
    rollout = Rollout(MANUAL)
    says(rollout, Command.PAUSE, in_phase="gate", after=3)
    rollout.clock.kill_at = 400
    with pytest.raises(Killed):
        rollout.run()
    events = rollout.journal.events
    step = next(event for event in reversed(events) if isinstance(event, StepStarted))

    assert paused(events)
    # the same step again by another labctl, or the first one of the way back
    assert not paused([*events, msgspec.structs.replace(step, way_back=way_back)])
