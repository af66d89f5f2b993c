"""What every platform promises: its verbs return when they are true, tell the truth, and lose no request."""

import threading
import time
from collections import Counter

import pytest

from cli.clock import SystemClock
from impact.binomial import plausible
from strategies.errors import CouldNotRun, Interrupted, NotReady
from strategies.plan import Release, Replace, Replacement
from strategies.platform import Platform, SlotState, State
from strategies.traffic import Slot, Traffic
from strategies.userlog import REQUEST_ID_HEADER
from tests.contract.backend import TAMPERED, Backend
from tests.contract.gateway import Answer, Gateway, answered
from tests.waiting import wait_for

BLUE, GREEN = Slot.BLUE, Slot.GREEN
V1 = Answer(200, "blue", "v1")
V2 = Answer(200, "green", "v2")
V2_IN_BLUE = Answer(200, "blue", "v2")
V1_IN_GREEN = Answer(200, "green", "v1")


def release(version: str, replicas: int = 1) -> Release:
    return Release(version=version, replicas=replicas)


# --- deploy ------------------------------------------------------------------------------------------------------


def test_deploy_makes_replicas_ready_and_leaves_the_traffic_alone(platform: Platform, gateway: Gateway) -> None:
    platform.deploy(GREEN, release("v2", 2))

    state = platform.observe()

    assert state.slots[GREEN] == SlotState(version="v2", replicas=2, ready=2)
    assert state.traffic == Traffic(stable=BLUE)
    assert gateway.count(30) == Counter({V1: 30})


def test_deploy_of_the_same_release_leaves_its_replicas_running(platform: Platform, lab: Backend) -> None:
    before = lab.replicas(BLUE)

    platform.deploy(BLUE, release("v1"))
    lab.connect().deploy(BLUE, release("v1"))

    assert lab.replicas(BLUE) == before


def test_deploy_of_more_or_fewer_replicas_keeps_those_that_run(platform: Platform, lab: Backend) -> None:
    platform.deploy(GREEN, release("v2"))
    one = lab.replicas(GREEN)

    platform.deploy(GREEN, release("v2", 2))
    two = lab.replicas(GREEN)

    assert platform.observe().slots[GREEN] == SlotState(version="v2", replicas=2, ready=2)
    assert one < two

    platform.deploy(GREEN, release("v2", 1))

    assert platform.observe().slots[GREEN] == SlotState(version="v2", replicas=1, ready=1)
    assert len(lab.replicas(GREEN)) == 1
    assert lab.replicas(GREEN) < two


def test_deploy_of_another_version_into_a_slot_without_traffic_exchanges_it(platform: Platform, lab: Backend, gateway: Gateway) -> None:
    """A new version during a rollout: weight 0, then exchange, then weight; no user notices."""
    platform.deploy(GREEN, release("v2"))
    before = lab.replicas(GREEN)

    with gateway.users() as answers:
        platform.route(Traffic(stable=BLUE, weight=50))
        wait_for(lambda: V2 in answers)
        platform.route(Traffic(stable=BLUE))
        platform.deploy(GREEN, release("v1"))
        assert platform.observe().slots[GREEN] == SlotState(version="v1", replicas=1, ready=1)
        assert V1_IN_GREEN not in answers
        platform.route(Traffic(stable=BLUE, weight=50))
        wait_for(lambda: V1_IN_GREEN in answers)

    assert set(answers) == {V1, V2, V1_IN_GREEN}
    assert V2 not in answers[answers.index(V1_IN_GREEN) :]
    assert lab.replicas(GREEN).isdisjoint(before)


def test_deploy_of_another_version_is_refused_where_users_are(platform: Platform, lab: Backend, gateway: Gateway) -> None:
    before = lab.replicas(BLUE)

    with pytest.raises(CouldNotRun, match="blue gets 100 % of the traffic"):
        platform.deploy(BLUE, release("v2"))

    assert lab.replicas(BLUE) == before
    assert gateway.count(20) == Counter({V1: 20})


def test_deploy_replaces_a_dead_replica_and_keeps_the_living_one(platform: Platform, lab: Backend, gateway: Gateway) -> None:
    """Until then the living one answers everybody."""
    platform.deploy(BLUE, release("v1", 2))
    before = lab.replicas(BLUE)

    lab.kill(BLUE)

    wait_for(lambda: platform.observe().slots[BLUE] == SlotState(version="v1", replicas=2, ready=1), seconds=lab.noticed)
    wait_for(lambda: gateway.count(20) == Counter({V1: 20}))

    platform.deploy(BLUE, release("v1", 2))

    assert platform.observe().slots[BLUE] == SlotState(version="v1", replicas=2, ready=2)
    assert len(lab.replicas(BLUE) & before) == 1
    assert gateway.count(20) == Counter({V1: 20})


def test_a_version_that_cannot_start_is_told_in_its_own_words_and_harms_nobody(platform: Platform, gateway: Gateway) -> None:
    with gateway.users() as answers:
        with pytest.raises(NotReady, match="sha256 differs"):
            platform.deploy(GREEN, release(TAMPERED))
        state = platform.observe()
        platform.retire(GREEN)

    assert state.slots[GREEN].ready == 0
    assert state.traffic == Traffic(stable=BLUE)
    assert set(answers) == {V1}
    assert platform.observe().slots[GREEN] == SlotState()


class InterruptedClock(SystemClock):
    """Somebody presses Ctrl-C at the third nap."""

    def __init__(self) -> None:
        super().__init__()
        self._naps = 3

    def sleep(self, seconds: float) -> None:
        """See `strategies.waiting.Clock`."""
        self._naps -= 1
        if self._naps == 0:
            raise Interrupted("Ctrl-C received")
        super().sleep(seconds)


def test_a_deployment_that_was_interrupted_can_be_repeated(platform: Platform, lab: Backend, gateway: Gateway) -> None:
    with pytest.raises(Interrupted):
        lab.connect(InterruptedClock()).deploy(GREEN, release("v2"))
    resumed = lab.connect()

    resumed.deploy(GREEN, release("v2"))

    assert resumed.observe().slots[GREEN] == SlotState(version="v2", replicas=1, ready=1)
    resumed.route(Traffic(stable=BLUE, weight=100))
    assert gateway.count(20) == Counter({V2: 20})


def test_a_deployment_that_was_interrupted_can_be_undone(platform: Platform, lab: Backend) -> None:
    with pytest.raises(Interrupted):
        lab.connect(InterruptedClock()).deploy(GREEN, release("v2"))

    lab.connect().retire(GREEN)

    assert lab.replicas(GREEN) == frozenset()


# --- replace -----------------------------------------------------------------------------------------------------


def test_rolling_exchanges_every_replica_and_no_user_notices(platform: Platform, lab: Backend, gateway: Gateway) -> None:
    before = lab.replicas(BLUE)

    with gateway.users() as answers:
        platform.replace(Replace(BLUE, release("v2", 2), Replacement.ROLLING))
        replaced = len(answers)
        wait_for(lambda: len(answers) > replaced + 20)

    assert platform.observe() == State(
        traffic=Traffic(stable=BLUE), slots={BLUE: SlotState(version="v2", replicas=2, ready=2), GREEN: SlotState()}
    )
    assert lab.replicas(BLUE).isdisjoint(before)
    assert set(answers) == {V1, V2_IN_BLUE}
    assert set(answers[replaced + 4 :]) == {V2_IN_BLUE}


def test_recreate_ends_the_old_before_the_new_begins_and_says_whose_fault_that_is(
    platform: Platform, lab: Backend, gateway: Gateway
) -> None:
    """In between nobody is there, and the proxy's own 503 bears the slot's name."""
    before = lab.replicas(BLUE)

    with gateway.users() as answers:
        wait_for(lambda: V1 in answers)
        platform.replace(Replace(BLUE, release("v2"), Replacement.RECREATE))
        replaced = len(answers)
        wait_for(lambda: len(answers) > replaced + 20)

    assert platform.observe() == State(
        traffic=Traffic(stable=BLUE), slots={BLUE: SlotState(version="v2", replicas=1, ready=1), GREEN: SlotState()}
    )
    assert lab.replicas(BLUE).isdisjoint(before)
    nobody = Answer(503, "blue", "")
    assert set(answers) == {V1, nobody, V2_IN_BLUE}
    assert V1 not in answers[answers.index(V2_IN_BLUE) :]
    assert set(answers[replaced + 4 :]) == {V2_IN_BLUE}


# --- route -------------------------------------------------------------------------------------------------------


def test_route_shares_requests_from_the_moment_that_it_returned(platform: Platform, gateway: Gateway) -> None:
    platform.deploy(GREEN, release("v2"))

    for weight in (0, 10, 50, 100, 50, 0, 100, 0):
        platform.route(Traffic(stable=BLUE, weight=weight))
        # a share of 0 or 1 is exact, so few answers tell; any other needs some for its interval to be narrow
        requests = 30 if weight in {0, 100} else 250
        counted = gateway.count(requests)

        assert platform.observe().traffic == Traffic(stable=BLUE, weight=weight)
        assert set(counted) <= {V1, V2}
        assert plausible(counted[V2], requests, weight / 100), f"{weight} %: {counted}"


def test_users_keep_the_request_ids_that_they_chose(gateway: Gateway) -> None:
    assert gateway.echo(REQUEST_ID_HEADER, "user-7-request-12") == "user-7-request-12"


# --- observe -----------------------------------------------------------------------------------------------------


def test_observe_tells_what_is_true_also_to_one_who_did_not_do_it(platform: Platform, lab: Backend) -> None:
    empty = State(traffic=Traffic(stable=BLUE), slots={BLUE: SlotState(version="v1", replicas=1, ready=1), GREEN: SlotState()})

    assert platform.observe() == lab.connect().observe() == empty

    platform.deploy(GREEN, release("v2"))
    platform.route(Traffic(stable=BLUE, weight=10))
    shared = State(
        traffic=Traffic(stable=BLUE, weight=10),
        slots={BLUE: SlotState(version="v1", replicas=1, ready=1), GREEN: SlotState(version="v2", replicas=1, ready=1)},
    )

    assert platform.observe() == lab.connect().observe() == shared


# --- retire ------------------------------------------------------------------------------------------------------


def test_retire_refuses_a_slot_with_traffic_and_empties_one_without(platform: Platform, lab: Backend, gateway: Gateway) -> None:
    platform.deploy(GREEN, release("v2"))
    platform.route(Traffic(stable=BLUE, weight=1))
    before = lab.replicas(GREEN)

    for slot, percent in ((BLUE, 99), (GREEN, 1)):
        with pytest.raises(CouldNotRun, match=f"{slot} gets {percent} % of the traffic"):
            platform.retire(slot)

    assert lab.replicas(GREEN) == before
    assert platform.observe().slots[GREEN].ready == 1

    platform.route(Traffic(stable=BLUE))
    platform.retire(GREEN)

    assert platform.observe().slots[GREEN] == SlotState()
    assert lab.replicas(GREEN) == frozenset()

    platform.retire(GREEN)

    assert gateway.count(20) == Counter({V1: 20})


# --- users under change ------------------------------------------------------------------------------------------


def test_no_request_is_lost_on_the_way_forward_and_back(platform: Platform, gateway: Gateway) -> None:
    with gateway.users() as answers:
        platform.deploy(GREEN, release("v2"))
        platform.route(Traffic(stable=BLUE, weight=10))
        platform.route(Traffic(stable=BLUE, weight=100))
        platform.route(Traffic(stable=GREEN))
        assert platform.observe().traffic == Traffic(stable=GREEN)
        platform.retire(BLUE)
        moved = len(answers)
        wait_for(lambda: len(answers) > moved + 20)
        platform.deploy(BLUE, release("v1"))
        platform.route(Traffic(stable=GREEN, weight=10))
        platform.route(Traffic(stable=GREEN, weight=100))
        platform.route(Traffic(stable=BLUE))
        platform.retire(GREEN)
        back = len(answers)
        wait_for(lambda: len(answers) > back + 20)

    assert set(answers) == {V1, V2}
    # the crowd's last answers of each part were given by the one that had all the traffic
    assert set(answers[moved + 4 : moved + 20]) == {V2}
    assert set(answers[back + 4 :]) == {V1}


def test_scaling_down_under_load_loses_nothing(platform: Platform, lab: Backend, gateway: Gateway) -> None:
    platform.deploy(BLUE, release("v1", 2))

    with gateway.users() as answers:
        wait_for(lambda: len(answers) > 50)
        platform.deploy(BLUE, release("v1", 1))
        scaled = len(answers)
        wait_for(lambda: len(answers) > scaled + 50)

    assert len(lab.replicas(BLUE)) == 1
    assert set(answers) == {V1}


def test_a_killed_replica_is_charged_to_its_slot(platform: Platform, lab: Backend, gateway: Gateway) -> None:
    """Stable's users do not notice, and the proxy's own 503 bears the name of the slot that it was meant for."""
    platform.deploy(GREEN, release("v2"))
    platform.route(Traffic(stable=BLUE, weight=50))
    assert gateway.count(20).keys() == {V1, V2}

    lab.kill(GREEN)

    wait_for(lambda: platform.observe().slots[GREEN] == SlotState(version="v2", replicas=1, ready=0), seconds=lab.noticed)
    counted = gateway.count(60)
    assert counted.keys() == {V1, Answer(503, "green", "")}
    assert plausible(answered(counted, GREEN), 60, 0.5)


def test_answers_that_never_come_are_charged_to_their_slot(platform: Platform, lab: Backend, gateway: Gateway) -> None:
    """By the route's timeout (504), or at once if the replica is killed with the request in its hands (503)."""
    with lab.slowed(30.0):
        platform.deploy(GREEN, release("v2"))
    platform.route(Traffic(stable=BLUE, weight=100))
    got: list[Answer] = []

    def ask() -> threading.Thread:
        thread = threading.Thread(target=lambda: got.append(gateway.predict()))
        thread.start()
        wait_for(lambda: platform.observe().slots[GREEN].in_flight == 1)
        return thread

    user = ask()
    user.join()
    assert got == [Answer(504, "green", "")]
    assert platform.observe().slots[GREEN].in_flight == 0
    # it answers its probes, so it is not the proxy's to take away
    assert platform.observe().slots[GREEN].ready == 1

    user = ask()
    lab.kill(GREEN)
    killed = time.monotonic()
    user.join()
    assert got[1:] == [Answer(503, "green", "")]
    assert time.monotonic() - killed < 10.0
