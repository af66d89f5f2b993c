"""What a rollout promises, whatever is asked for and whatever goes wrong, alone and together."""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from hypothesis import given, note, settings
from hypothesis import strategies as st

from strategies.canary import CanaryOptions
from strategies.errors import CouldNotRun, StoreRefused
from strategies.events import Ended, Outcome
from strategies.judgement import Verdict
from strategies.traffic import Slot, Traffic, replicas_needed
from tests.fakes import Fault
from tests.unit.strategies.rollout import Kill, Rollout, changes_of_each_way_back

EXIT_CODES = {
    Outcome.PROMOTED: 0,
    Outcome.ROLLED_BACK: 1,
    Outcome.INCONCLUSIVE: 3,
    Outcome.ERROR: 3,
    Outcome.INTERRUPTED: 130,
}


@dataclass(frozen=True)
class Scenario:
    """All that may happen to a rollout; see the attributes of the fakes."""

    options: CanaryOptions
    verdicts: tuple[Verdict, ...]
    start_seconds: float
    settle_seconds: float
    drain_seconds: float
    fault: Fault | None
    interrupt_at: int | None
    lost_at: int | None
    refuse_from: int | None
    refuse_with: type[Exception]
    kills: tuple[Kill, ...]

    @property
    def lasts(self) -> bool:
        return self.fault is not None and self.fault.lasts == inf


options = st.builds(
    CanaryOptions,
    to_version=st.just("v2"),
    stable=st.sampled_from(Slot),
    weights=st.sets(st.integers(1, 100), min_size=1, max_size=3).map(lambda weights: tuple(sorted(weights))),
    replicas=st.integers(1, 10),
    hold=st.floats(0, 2),
    baseline=st.floats(0, 1),
    keep=st.floats(0, 3),
)


def faults(lasts: st.SearchStrategy[float]) -> st.SearchStrategy[Fault]:
    """Any verb, failing from any of its calls on."""
    return st.builds(
        Fault,
        verb=st.sampled_from(["deploy", "route", "retire", "observe"]),
        nth=st.integers(1, 15),
        error=st.sampled_from([CouldNotRun, ZeroDivisionError]),
        lasts=lasts,
        done=st.booleans(),
    )


def scenarios_with(fault: st.SearchStrategy[Fault | None]) -> st.SearchStrategy[Scenario]:
    """Anything beside the fault."""
    return st.builds(
        Scenario,
        options=options,
        verdicts=st.tuples(*[st.just(Verdict.PASS) | st.sampled_from(Verdict)] * 3),
        start_seconds=st.sampled_from([2.0, 0.0, inf]),
        settle_seconds=st.floats(0, 2),
        drain_seconds=st.floats(0, 2),
        fault=fault,
        interrupt_at=st.none() | st.integers(1, 200),
        lost_at=st.none() | st.integers(1, 12),
        refuse_from=st.none() | st.integers(1, 70),
        refuse_with=st.sampled_from([StoreRefused, BrokenPipeError]),
        kills=st.lists(st.builds(Kill, write=st.integers(1, 60), after=st.booleans(), then_abort=st.booleans()), max_size=2).map(tuple),
    )


scenarios = scenarios_with(st.none() | faults(st.sampled_from([0.0, 2.0, inf])))
thorough = settings(max_examples=200, report_multiple_bugs=False)


def prepare(scenario: Scenario) -> Rollout:
    """The world of a scenario, in which at every moment users are watched: whoever has weight must be able to carry it."""
    note(str(scenario))
    rollout = Rollout(scenario.options)
    platform, witness, journal = rollout.platform, rollout.witness, rollout.journal
    platform.start_seconds, platform.drain_seconds = scenario.start_seconds, scenario.drain_seconds
    platform.faults = [scenario.fault] if scenario.fault else []
    witness.verdicts = dict(zip(scenario.options.weights, scenario.verdicts, strict=False))
    witness.settle_seconds, witness.lost_at = scenario.settle_seconds, scenario.lost_at
    journal.refuse_from, journal.error = scenario.refuse_from, scenario.refuse_with
    rollout.clock.interrupt_at = scenario.interrupt_at

    def watch() -> None:
        state = platform.state()
        assert state.traffic is not None
        for slot in Slot:
            percent, ready = state.traffic.percent(slot), state.slots[slot].ready
            if ready < replicas_needed(scenario.options.replicas, percent):
                platform.broken.append(f"{slot} has {percent} % of the traffic and {ready} ready replicas")

    rollout.clock.watchers.append(watch)
    return rollout


def perform(scenario: Scenario) -> tuple[Rollout, Ended]:
    """Carry a scenario out, to the end that its last labctl comes to."""
    rollout = prepare(scenario)
    return rollout, rollout.run_through(scenario.kills)


def one_place(rollout: Rollout) -> bool:
    """Whether one version has all the traffic, all its replicas are ready, nothing is left beside it, and the record agrees."""
    return rollout.platform.state() == (rollout.candidate_alone if rollout.promoted else rollout.stable_alone)


@thorough
@given(scenarios)
def test_users_end_in_one_place_unless_a_fault_lasts(scenario: Scenario) -> None:
    rollout, ended = perform(scenario)

    if ended.left:
        assert scenario.lasts
    else:
        assert one_place(rollout)


@thorough
@given(scenarios_with(faults(st.just(inf))), st.sampled_from([Rollout.resume, Rollout.abort]))
def test_what_a_lasting_fault_has_left_to_do_is_done_once_it_is_gone(scenario: Scenario, finish: Callable[[Rollout], Ended]) -> None:
    rollout, ended = perform(scenario)
    rollout.platform.faults.clear()

    if ended.left:
        assert finish(rollout).left == ""
    assert one_place(rollout)
    assert rollout.platform.broken == []


@thorough
@given(scenarios)
def test_no_weight_without_replicas_and_no_retirement_without_draining(scenario: Scenario) -> None:
    rollout, _ = perform(scenario)

    assert rollout.platform.broken == []


@thorough
@given(scenarios)
def test_a_way_back_begins_with_weight_0(scenario: Scenario) -> None:
    rollout, _ = perform(scenario)

    weight_0 = ("route", Traffic(stable=scenario.options.stable))
    assert all(changes[0] == weight_0 for changes in changes_of_each_way_back(rollout.story) if changes)


@thorough
@given(scenarios)
def test_no_candidate_keeps_weight_unless_routes_cannot_be_changed(scenario: Scenario) -> None:
    rollout, ended = perform(scenario)

    if not (ended.left and scenario.fault and scenario.fault.verb == "route"):
        serving = scenario.options.stable.other if rollout.promoted else scenario.options.stable
        assert rollout.platform.state().traffic == Traffic(stable=serving)


@thorough
@given(scenarios)
def test_the_last_thing_written_is_how_it_ended(scenario: Scenario) -> None:
    rollout, ended = perform(scenario)

    assert rollout.story[-1] == ended
    if scenario.refuse_from is None:
        assert rollout.journal.events[-1] == ended
    assert ended.exit_code == EXIT_CODES[ended.outcome]
    assert not (ended.left and ended.exit_code != 3)


@thorough
@given(scenarios)
def test_nothing_is_promoted_that_was_not_judged_good_at_every_weight(scenario: Scenario) -> None:
    rollout, ended = perform(scenario)

    if rollout.promoted:
        judged = scenario.verdicts[: len(scenario.options.weights)]
        assert set(judged) == {Verdict.PASS}
        assert scenario.start_seconds < inf
    if ended.outcome is Outcome.PROMOTED:
        assert rollout.promoted
