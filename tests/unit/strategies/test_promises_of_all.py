"""What every strategy promises, whatever goes wrong at whatever step: the canary's promises, drawn over all plans."""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from hypothesis import given, note, settings
from hypothesis import strategies as st

from strategies.ab_test import AbTestOptions, ab_test
from strategies.blue_green import BlueGreenOptions, blue_green
from strategies.canary import CanaryOptions, canary
from strategies.errors import CouldNotRun
from strategies.events import Ended, Outcome, PhaseStarted, StepEnded
from strategies.in_place import InPlaceOptions, recreate, rolling
from strategies.judgement import Verdict
from strategies.plan import Deploy, Plan, Release, Replace, Replacement, Subject
from strategies.platform import SlotState
from strategies.shadow import ShadowOptions, shadow
from strategies.steering import Command
from strategies.traffic import Match, Slot, Traffic, replicas_needed
from tests.fakes import Fault
from tests.unit.strategies.rollout import Kill, Rollout, changes_of_each_way_back


@dataclass(frozen=True)
class Scenario:
    """All that may happen to a rollout of any strategy with `before` in blue."""

    plan: Plan
    before: Release
    verdict: Verdict
    winner: bool
    start_seconds: float
    fault: Fault | None
    interrupt_at: int | None
    kills: tuple[Kill, ...]
    stable_dies_at: int | None = None
    undo_at: int | None = None


def plans(before: Release, replicas: int) -> st.SearchStrategy[Plan]:
    """Every strategy, with every choice that changes its steps."""
    times = st.floats(0, 2)
    common = {"to_version": st.just("v2"), "before": st.just(before), "stable": st.just(Slot.BLUE), "replicas": st.just(replicas)}
    beside = {**common, "hold": times, "baseline": times, "keep": times}
    in_place = {**common, "hold": times, "baseline": times}
    steps_of_exchange = st.tuples(st.integers(0, 3), st.integers(0, 3)).filter(any)
    match = st.none() | st.just(Match(name="x-user-group", value="beta", share=30))
    return st.one_of(
        st.builds(InPlaceOptions, **in_place).map(recreate),
        steps_of_exchange.flatmap(
            lambda most: st.builds(InPlaceOptions, **in_place, max_surge=st.just(most[0]), max_unavailable=st.just(most[1]))
        ).map(rolling),
        st.builds(BlueGreenOptions, **beside, preview=times, manual=st.booleans()).map(blue_green),
        st.builds(CanaryOptions, **beside, weights=st.sampled_from([(10,), (5, 50), (100,)]), manual=st.booleans()).map(canary),
        st.builds(AbTestOptions, **beside, match=match, share=st.integers(1, 99), promote_winner=st.booleans()).map(ab_test),
        st.builds(ShadowOptions, **beside, mirror=st.integers(1, 100), promote=st.booleans()).map(shadow),
    )


@st.composite
def scenarios(draw: st.DrawFn, lasts: tuple[float, ...] = (0.0, 2.0, inf), *, dying: bool = False) -> Scenario:
    """Anything; with `dying`, all replicas of stable die at some moment and the rest goes well."""
    before = Release(version="v1", replicas=draw(st.integers(1, 4)))
    plan = draw(plans(before, before.replicas))
    faults = st.builds(
        Fault,
        verb=st.sampled_from(["deploy", "replace", "route", "retire", "observe"]),
        nth=st.integers(1, 15),
        error=st.sampled_from([CouldNotRun, ZeroDivisionError]),
        lasts=st.sampled_from(lasts),
        done=st.booleans(),
    )
    kill = st.builds(Kill, write=st.integers(1, 40), after=st.booleans(), then_abort=st.booleans())
    return Scenario(
        plan=plan,
        before=before,
        verdict=draw(st.just(Verdict.PASS) | st.sampled_from(Verdict)),
        winner=draw(st.booleans()),
        start_seconds=draw(st.sampled_from([1.0] if dying else [1.0, 0.0, inf])),
        fault=None if dying else draw(st.none() | faults),
        interrupt_at=draw(st.none() | st.integers(1, 120)),
        kills=() if dying else tuple(draw(st.lists(kill, max_size=2))),
        stable_dies_at=draw(st.integers(1, 40)) if dying else None,
        undo_at=None if dying else draw(st.none() | st.integers(1, 60)),
    )


thorough = settings(max_examples=250, report_multiple_bugs=False)


def prepare(scenario: Scenario) -> Rollout:
    """The scenario's world, with a person who says to go on at each gate."""
    note(str(scenario))
    options = CanaryOptions(to_version="v2", stable=Slot.BLUE, replicas=scenario.before.replicas)
    rollout = Rollout(options, scenario.plan)
    platform, witness = rollout.platform, rollout.witness
    platform.start_seconds = scenario.start_seconds
    platform.faults = [scenario.fault] if scenario.fault else []
    witness.verdicts = dict.fromkeys(range(1, 101), scenario.verdict)
    witness.subjects = dict.fromkeys(set(Subject) - {Subject.EXCHANGE}, scenario.verdict)
    witness.winner = scenario.winner
    rollout.clock.interrupt_at = scenario.interrupt_at

    def watch() -> None:
        phases = [event.name for event in rollout.journal.events if isinstance(event, PhaseStarted)]
        if phases and phases[-1] == "gate":
            rollout.words.say(Command.PROMOTE)
        if scenario.undo_at == rollout.clock.sleeps:
            rollout.words.say(Command.UNDO)
        # what dies while the other one is being stopped already cannot be known before
        if scenario.stable_dies_at == rollout.clock.sleeps and not any(call[0] == "retire" for call in rollout.calls):
            platform.break_down(Slot.BLUE)
        state = platform.state()
        if exchange := next((step for step in scenario.plan.steps if isinstance(step, Replace)), None):
            platform.broken.extend(beyond(exchange, state.slots[Slot.BLUE]))
            return
        if scenario.stable_dies_at or state.traffic is None:
            return
        for slot in Slot:
            percent, ready = state.traffic.percent(slot), state.slots[slot].ready
            if ready < replicas_needed(scenario.plan.replicas, percent):
                platform.broken.append(f"{slot} has {percent} % of the traffic and {ready} ready replicas")

    rollout.clock.watchers.append(watch)
    return rollout


def beyond(exchange: Replace, slot: SlotState) -> list[str]:
    """What an exchange in place may not lead to; recreated, nobody is ready for a while."""
    needed, rolls = exchange.release.replicas, exchange.how is Replacement.ROLLING
    found = []
    if rolls and slot.ready < needed - exchange.max_unavailable:
        found.append(f"{slot.ready} replicas were ready, and {needed} less {exchange.max_unavailable} must be")
    if slot.replicas > needed + (exchange.max_surge if rolls else 0):
        found.append(f"there were {slot.replicas} replicas, and {needed} and {exchange.max_surge} more may be")
    return found


def perform(scenario: Scenario) -> tuple[Rollout, Ended]:
    """Carry a scenario out, to the end that its last labctl comes to."""
    rollout = prepare(scenario)
    return rollout, rollout.run_through(scenario.kills)


def one_place(rollout: Rollout) -> bool:
    """Whether one version has all the traffic and all its replicas, and nothing is left beside it; a cookie may still be taken back."""
    state = rollout.platform.state()
    expected = rollout.candidate_alone if rollout.promoted else rollout.stable_alone
    assert state.traffic is not None
    assert expected.traffic is not None
    return state.slots == expected.slots and plain(state.traffic) == plain(expected.traffic)


def plain(traffic: Traffic) -> Traffic:
    """The same without a cookie to forget."""
    return Traffic(
        stable=traffic.stable,
        weight=traffic.weight,
        preview=traffic.preview,
        match=traffic.match,
        mirror=traffic.mirror,
        sticky=traffic.sticky,
    )


@thorough
@given(scenarios())
def test_users_end_in_one_place_unless_a_fault_lasts(scenario: Scenario) -> None:
    """One ready slot with all the traffic, no preview, match, mirror or sticky route left, and the record agrees."""
    rollout, ended = perform(scenario)

    if ended.left:
        assert scenario.start_seconds == inf or (scenario.fault and scenario.fault.lasts == inf)
    else:
        assert one_place(rollout)
    assert rollout.platform.broken == []


@thorough
@given(scenarios())
def test_a_way_back_begins_with_the_users(scenario: Scenario) -> None:
    """Weight 0 and no other route to the candidate; in place, the exchange itself."""
    rollout, _ = perform(scenario)

    for changes in changes_of_each_way_back(rollout.story):
        if changes and not scenario.plan.in_place:
            # who undoes a promotion after the old version has gone needs it again first
            started_again = scenario.undo_at is not None and changes[0] == ("deploy", Slot.BLUE, scenario.before)
            verb, traffic = changes[int(started_again)][:2]
            assert verb == "route"
            assert isinstance(traffic, Traffic)
            assert plain(traffic) == Traffic(stable=Slot.BLUE)
        elif changes:
            assert changes[0][:3] == ("replace", Slot.BLUE, scenario.before)


@thorough
@given(scenarios())
def test_only_a_good_candidate_is_promoted_and_an_experiment_that_is_over_leaves_stable_alone(scenario: Scenario) -> None:
    rollout, ended = perform(scenario)

    if rollout.promoted:
        assert scenario.verdict is Verdict.PASS
        needs_winner = any(getattr(step, "needs_winner", False) for step in scenario.plan.steps)
        assert scenario.winner or not needs_winner
    if ended.outcome is Outcome.COMPLETED:
        assert ended.exit_code == 0
        assert one_place(rollout)


@thorough
@given(scenarios(lasts=(inf,)), st.sampled_from([Rollout.resume, Rollout.abort]))
def test_what_a_lasting_fault_has_left_to_do_is_done_once_it_is_gone(scenario: Scenario, finish: Callable[[Rollout], Ended]) -> None:
    rollout, ended = perform(scenario)
    rollout.platform.faults.clear()
    rollout.platform.start_seconds = 1.0

    if ended.left:
        assert finish(rollout).left == ""
    assert one_place(rollout)
    assert rollout.platform.broken == []


@thorough
@given(scenarios(dying=True).filter(lambda scenario: not scenario.plan.in_place))
def test_the_only_version_that_answers_is_never_taken_away(scenario: Scenario) -> None:
    """All replicas of stable die in the middle: a way back starts it again first, or keeps the candidate and says what is left."""
    rollout, ended = perform(scenario)

    state = rollout.platform.state()
    assert state.traffic is not None
    serving = state.slots[state.traffic.stable if state.traffic.weight < 100 else state.traffic.candidate]
    done = {event.index for event in rollout.journal.events if isinstance(event, StepEnded) and not event.way_back}
    candidate_was_there = any(isinstance(scenario.plan.steps[index], Deploy) for index in done)
    if not ended.left and candidate_was_there:
        assert serving.ready > 0
