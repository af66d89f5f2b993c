"""What keeps a candidate from running on a real cluster is told in the cluster's own words, and no user is sent there."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.clock import SystemClock
from platforms.kubernetes.client import Cluster
from platforms.kubernetes.gateway import Gateway
from platforms.kubernetes.helm import Helm
from platforms.kubernetes.lease import Lease
from platforms.kubernetes.ownership import OwnedRoutes
from platforms.kubernetes.platform import KubernetesPlatform
from strategies.errors import CouldNotRun, LockHeld, NotReady, RouteRefused
from strategies.plan import Release
from strategies.platform import SlotState
from strategies.traffic import Slot, Traffic
from tests.cluster.conftest import MINUTES, NAME, ClusterLab

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(20 * MINUTES)]

BLUE, GREEN = Slot.BLUE, Slot.GREEN
Connect = Callable[..., Any]


@pytest.fixture(scope="module")
def up(lab: ClusterLab) -> ClusterLab:
    """The lab with one replica of v1."""
    lab.labctl("up", "--replicas", "1")
    return lab


@pytest.fixture
def connect(up: ClusterLab, store: Path) -> Iterator[Connect]:
    """A platform for candidates whose releases have some more values; afterwards nothing is in green, and v1 has everybody."""
    kubeconfig = Path(up.environment["KUBECONFIG"])
    clock = SystemClock()
    cluster = Cluster(f"kind-{NAME}", clock=clock, patience=30.0, kubeconfig=kubeconfig)
    gateway = Gateway(cluster, "lab", clock=clock, patience=30.0)

    def digest(version: str) -> str:
        return str(json.loads((store / version / "model.json").read_text())["sha256"])

    @contextmanager
    def connected(timeout: float = 120.0, *, take_over: bool = False, **extra: Any) -> Iterator[KubernetesPlatform]:
        with Lease(cluster, "lab", clock=clock).held("a test", take_over=take_over) as held:
            yield KubernetesPlatform(
                cluster,
                namespace="lab",
                helm=Helm(f"kind-{NAME}", "lab", digest=digest, extra=extra, kubeconfig=kubeconfig),
                gateway=gateway,
                owned=OwnedRoutes(cluster, "lab", held=held, note=print, reclaim=False),
                held=held,
                clock=clock,
                timeout=timeout,
            )

    yield connected
    with connected() as platform:
        platform.route(Traffic(stable=BLUE))
        platform.retire(GREEN)
        state = platform.observe()
    gateway.close()
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
        pytest.param({"extraEnv": [{"name": "MODEL_API_PORT", "value": "8001"}]}, "probe failed", 20.0, id="never ready"),
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
    command = ("kubectl", "--context", f"kind-{NAME}", "--namespace", "lab")
    up.tool(*command, "create", "quota", "full", "--hard", "pods=1")
    try:
        with connect() as platform, pytest.raises(NotReady, match="exceeded quota: full"):
            platform.deploy(GREEN, CANDIDATE)
    finally:
        up.tool(*command, "delete", "quota", "full")


def test_users_keep_their_slot_while_another_version_is_refused_there(connect: Connect) -> None:
    with connect() as platform:
        with pytest.raises(CouldNotRun, match="blue gets 100 % of the traffic"):
            platform.deploy(BLUE, CANDIDATE)

        assert platform.observe().slots[BLUE] == SlotState(version="v1", replicas=1, ready=1)


def test_who_was_taken_over_cannot_write_any_more(connect: Connect) -> None:
    with connect() as old, connect(take_over=True) as new:
        new.route(Traffic(stable=BLUE))

        with pytest.raises(RouteRefused, match="a newer rollout"):
            old.route(Traffic(stable=BLUE, weight=50))

        assert new.observe().traffic == Traffic(stable=BLUE)


def test_who_does_not_take_over_is_refused(connect: Connect) -> None:
    with connect(), pytest.raises(LockHeld, match="a test"), connect():
        pass
