"""What keeps a candidate from running on a real cluster is told in the cluster's own words, and no user is sent there."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from platforms.kubernetes.held import Held
from platforms.kubernetes.platform import KubernetesPlatform
from strategies.errors import CouldNotRun, LockHeld, NotReady, RouteRefused, TakenOver
from strategies.plan import Release
from strategies.platform import SlotState
from strategies.traffic import Slot, Traffic
from tests.cluster.lab import MINUTES, ClusterLab
from tests.cluster.verbs import TIMEOUT

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(20 * MINUTES)]

BLUE, GREEN = Slot.BLUE, Slot.GREEN
Connect = Callable[..., Any]


@pytest.fixture(scope="module")
def up(lab: ClusterLab) -> ClusterLab:
    """The lab with one replica of v1."""
    lab.serve(replicas=1)
    return lab


@pytest.fixture
def connect(up: ClusterLab) -> Iterator[Connect]:
    """A platform for candidates whose releases have some more values; afterwards nothing is in green, and v1 has everybody."""
    with up.verbs() as verbs:

        @contextmanager
        def connected(timeout: float = TIMEOUT, *, take_over: bool = False, **extra: Any) -> Iterator[KubernetesPlatform]:
            with verbs.lease.held("a test", take_over=take_over) as held:
                yield verbs.platform(held, timeout=timeout, extra=extra)

        yield connected
        with connected() as platform:
            platform.route(Traffic(stable=BLUE))
            platform.retire(GREEN)
            state = platform.observe()
    assert (state.slots[BLUE].version, state.slots[GREEN]) == ("v1", SlotState())


CANDIDATE = Release(version="v2", replicas=1)
HUGE = {"requests": {"cpu": "999", "memory": "64Mi"}, "limits": {"memory": "512Mi"}}


@pytest.mark.parametrize(
    ("values", "reason", "timeout"),
    [
        pytest.param(
            {"image": {"repository": "nobody/has-this", "tag": "ever", "pullPolicy": "Never"}}, "ErrImageNeverPull", 120.0, id="no image"
        ),
        pytest.param({"extraEnv": [{"name": "MODEL_API_ERROR_RATIO", "value": "7"}]}, "MODEL_API_ERROR_RATIO", 120.0, id="crash at start"),
        pytest.param({"resources": HUGE}, "Insufficient cpu", 5.0, id="no room"),
    ],
)
def test_a_candidate_that_cannot_run_says_why(
    connect: Connect, up: ClusterLab, values: dict[str, Any], reason: str, timeout: float
) -> None:
    with connect(timeout, **values) as platform:
        with pytest.raises(NotReady, match=reason):
            platform.deploy(GREEN, CANDIDATE)

        state = platform.observe()

    assert state.traffic == Traffic(stable=BLUE)
    assert state.slots[GREEN].ready == 0
    assert httpx.get(f"{up.gateway}/version", trust_env=False).headers["x-served-by"] == "v1"


def test_a_quota_is_told(connect: Connect, up: ClusterLab) -> None:
    up.kubectl("create", "quota", "full", "--hard", "pods=1")
    try:
        with connect() as platform, pytest.raises(NotReady, match="exceeded quota: full"):
            platform.deploy(GREEN, CANDIDATE)
    finally:
        up.kubectl("delete", "quota", "full")


def test_users_keep_their_slot_while_another_version_is_refused_there(connect: Connect) -> None:
    with connect() as platform:
        with pytest.raises(CouldNotRun, match="blue gets 100 % of the traffic"):
            platform.deploy(BLUE, CANDIDATE)

        assert platform.observe().slots[BLUE] == SlotState(version="v1", replicas=1, ready=1)


def test_who_was_taken_over_cannot_write_any_more(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """It asks before it writes; and one that was stopped between the two is refused by the number on the routes."""
    with connect() as old, connect(take_over=True) as new:
        new.route(Traffic(stable=BLUE))

        with pytest.raises(TakenOver, match="has taken this rollout over"):
            old.route(Traffic(stable=BLUE, weight=50))
        monkeypatch.setattr(Held, "check", lambda _: None)
        with pytest.raises(RouteRefused, match="a newer rollout"):
            old.route(Traffic(stable=BLUE, weight=50))

        assert new.observe().traffic == Traffic(stable=BLUE)


def test_who_does_not_take_over_is_refused(connect: Connect) -> None:
    with connect(), pytest.raises(LockHeld, match="a test"), connect():
        pass
