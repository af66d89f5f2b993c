"""The fake platform notices every broken promise, so that a rollout's tests can fail."""

from math import inf

import pytest

from strategies.errors import CouldNotRun, NotReady, ToolFailed
from strategies.plan import Release, Replace, Replacement
from strategies.platform import SlotState, State
from strategies.traffic import Slot, Traffic
from tests.fakes import FakeClock, FakePlatform, Fault, Killed

BLUE, GREEN = Slot.BLUE, Slot.GREEN
V1 = SlotState(version="v1", replicas=4, ready=4, in_flight=1)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def platform(clock: FakeClock) -> FakePlatform:
    return FakePlatform(clock, replicas=4)


def v2(replicas: int) -> Release:
    return Release(version="v2", replicas=replicas)


def test_what_is_promised_breaks_nothing(platform: FakePlatform, clock: FakeClock) -> None:
    platform.deploy(GREEN, v2(1))
    platform.route(Traffic(stable=BLUE, weight=25))
    platform.deploy(GREEN, v2(4))
    platform.route(Traffic(stable=BLUE, weight=100))
    platform.route(Traffic(stable=GREEN))
    clock.sleep(platform.drain_seconds)
    platform.retire(BLUE)

    v2_alone = SlotState(version="v2", replicas=4, ready=4, in_flight=1)
    assert platform.observe() == State(traffic=Traffic(stable=GREEN), slots={GREEN: v2_alone, BLUE: SlotState()})
    assert platform.broken == []


@pytest.mark.parametrize("replicas", [0, 1])
def test_weight_without_the_replicas_that_it_needs_is_noticed(platform: FakePlatform, replicas: int) -> None:
    if replicas:
        platform.deploy(GREEN, v2(replicas))

    platform.route(Traffic(stable=BLUE, weight=26))

    assert platform.broken == [f"26 % were routed to green, where {replicas} replicas are ready"]


def test_weight_back_to_a_stable_that_is_gone_is_noticed(platform: FakePlatform) -> None:
    platform.deploy(GREEN, v2(4))
    platform.route(Traffic(stable=BLUE, weight=100))
    platform.break_down(BLUE)

    platform.route(Traffic(stable=BLUE))

    assert platform.broken == ["100 % were routed to blue, where 0 replicas are ready"]


def test_fewer_replicas_than_the_weight_needs_are_noticed(platform: FakePlatform) -> None:
    platform.deploy(GREEN, v2(2))
    platform.route(Traffic(stable=BLUE, weight=50))

    platform.deploy(GREEN, v2(1))

    assert platform.broken == ["green was cut to 1 replicas at 50 % of the traffic"]


def test_retiring_what_has_weight_is_refused_and_noticed(platform: FakePlatform) -> None:
    with pytest.raises(CouldNotRun, match="blue was to be stopped with 100 % of the traffic"):
        platform.retire(BLUE)

    assert platform.state().slots[BLUE] == V1
    assert len(platform.broken) == 1


def test_retiring_what_has_requests_in_flight_is_refused_and_noticed(platform: FakePlatform, clock: FakeClock) -> None:
    platform.deploy(GREEN, v2(1))
    platform.route(Traffic(stable=BLUE, weight=10))
    platform.route(Traffic(stable=BLUE))

    with pytest.raises(CouldNotRun, match="green was to be stopped with 0 % of the traffic or requests in flight"):
        platform.retire(GREEN)

    assert len(platform.broken) == 1
    clock.sleep(platform.drain_seconds)
    platform.retire(GREEN)
    assert platform.state() == State(traffic=Traffic(stable=BLUE), slots={BLUE: V1, GREEN: SlotState()})


def test_another_version_in_a_slot_with_weight_is_refused_and_noticed(platform: FakePlatform) -> None:
    with pytest.raises(CouldNotRun, match="blue was to be stopped"):
        platform.deploy(BLUE, v2(4))

    assert len(platform.broken) == 1


def test_a_replica_that_never_gets_ready_is_started_again_by_the_next_deployment(platform: FakePlatform) -> None:
    platform.start_seconds = inf
    with pytest.raises(NotReady, match=r"0 of 2 replicas in green are ready \(waited 10 s\)"):
        platform.deploy(GREEN, v2(2))

    platform.start_seconds = 2.0
    platform.deploy(GREEN, v2(2))

    assert platform.state().slots[GREEN] == SlotState(version="v2", replicas=2, ready=2)


@pytest.mark.parametrize(("how", "least"), [(Replacement.RECREATE, 0), (Replacement.ROLLING, 4)])
def test_recreate_leaves_nobody_to_answer_and_rolling_no_fewer_than_before(
    platform: FakePlatform, clock: FakeClock, how: Replacement, least: int
) -> None:
    ready = []
    clock.watchers.append(lambda: ready.append(platform.state().slots[BLUE].ready))

    platform.replace(Replace(BLUE, v2(4), how))

    assert min(ready) == least
    assert platform.state().slots[BLUE] == SlotState(version="v2", replicas=4, ready=4, in_flight=1)


@pytest.mark.parametrize(("surge", "unavailable"), [(1, 0), (4, 0), (9, 0), (0, 1), (0, 9), (2, 1)])
def test_a_rolling_exchange_goes_as_far_as_it_may_and_no_further(
    platform: FakePlatform, clock: FakeClock, surge: int, unavailable: int
) -> None:
    """Replicas that drain are there still, and ready no longer."""
    seen: list[SlotState] = []
    clock.watchers.append(lambda: seen.append(platform.state().slots[BLUE]))

    platform.replace(Replace(BLUE, v2(4), Replacement.ROLLING, surge, unavailable))

    assert min(state.ready for state in seen) == max(0, 4 - unavailable)
    assert max(state.replicas for state in seen) == min(8, 4 + surge)
    assert platform.state().slots[BLUE] == SlotState(version="v2", replicas=4, ready=4, in_flight=1)


def test_an_exchange_whose_labctl_died_is_over_only_when_all_are_ready(platform: FakePlatform, clock: FakeClock) -> None:
    exchange = Replace(BLUE, v2(4), Replacement.ROLLING)
    kills = 0
    for sleep in range(3, 400, 7):
        clock.kill_at = clock.sleeps + sleep
        try:
            platform.replace(exchange)
        except Killed:
            kills += 1
            continue
        break

    assert kills
    assert platform.state().slots[BLUE] == SlotState(version="v2", replicas=4, ready=4, in_flight=1)


@pytest.mark.parametrize(("lasts", "failures"), [(0.0, 1), (1.0, 2), (inf, 4)])
def test_a_fault_lasts_as_long_as_it_was_told_to(platform: FakePlatform, clock: FakeClock, lasts: float, failures: int) -> None:
    platform.faults.append(Fault("observe", nth=2, lasts=lasts))
    failed = []
    for _ in range(5):
        try:
            platform.observe()
        except ToolFailed:
            failed.append(clock.monotonic())
        clock.sleep(0.5)

    assert failed == [0.5, 1.0, 1.5, 2.0][:failures]


def test_a_fault_comes_before_the_work_or_after_it(platform: FakePlatform) -> None:
    platform.deploy(GREEN, v2(4))
    platform.faults += [Fault("route"), Fault("route", nth=2, done=True)]

    with pytest.raises(ToolFailed, match="route failed"):
        platform.route(Traffic(stable=BLUE, weight=10))
    assert platform.state().traffic == Traffic(stable=BLUE)

    with pytest.raises(ToolFailed, match="route was done and yet failed"):
        platform.route(Traffic(stable=BLUE, weight=10))
    assert platform.state().traffic == Traffic(stable=BLUE, weight=10)
