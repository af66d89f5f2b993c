"""What fails under a rollout on a real cluster: control is not lost, users keep a version that answers, the report has what they met."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from tests.cluster.lab import MINUTES, ClusterLab
from tests.cluster.rollouts import Bystander, Json, bystander, rollout
from tests.waiting import wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(20 * MINUTES)]

AWAY_SECONDS = 20.0
BUSY = ("--rate", "60", "--objective-latency", "3s")
"""A machine whose control plane starts anew has little left for users, and that is not to be taken for a bad candidate."""
Fault = Callable[[ClusterLab], AbstractContextManager[None]]


def node(lab: ClusterLab, *command: str) -> str:
    """Run a command in the cluster's node."""
    return lab.tool("docker", "exec", f"{lab.name}-control-plane", *command)


@contextmanager
def frozen(lab: ClusterLab) -> Iterator[None]:
    """The API server takes connections and answers nobody."""
    pid = node(lab, "pidof", "kube-apiserver").strip()
    node(lab, "kill", "-STOP", pid)
    try:
        yield
    finally:
        node(lab, "kill", "-CONT", pid)


@contextmanager
def gone(lab: ClusterLab) -> Iterator[None]:
    """There is no API server: nobody listens."""
    manifest, put_away = "/etc/kubernetes/manifests/kube-apiserver.yaml", "/etc/kubernetes/kube-apiserver.yaml"
    node(lab, "mv", manifest, put_away)
    try:
        wait_for(lambda: "kube-apiserver" not in node(lab, "ps", "-eo", "comm"), "the API server does not end")
        yield
    finally:
        node(lab, "mv", put_away, manifest)


@contextmanager
def scaled_away(lab: ClusterLab, namespace: str, deployment: str) -> Iterator[None]:
    """A Deployment without pods while the block lasts; afterwards it is available again."""
    where = ("kubectl", "--context", lab.context, "--namespace", namespace)

    def pods() -> list[str]:
        names = lab.tool(*where, "get", "pods", "--output", "name").split()
        return [name for name in names if name.startswith(f"pod/{deployment}-")]

    lab.tool(*where, "scale", f"deployment/{deployment}", "--replicas", "0")
    try:
        wait_for(lambda: not pods(), f"{deployment} does not end")
        yield
    finally:
        lab.tool(*where, "scale", f"deployment/{deployment}", "--replicas", "1")
        lab.tool(*where, "rollout", "status", f"deployment/{deployment}", "--timeout", "120s")


def pods_of(lab: ClusterLab, version: str) -> list[str]:
    """The ready pods of a version."""
    return [
        pod["metadata"]["name"]
        for pod in lab.objects("pods")
        if pod["metadata"]["labels"].get("lab/version") == version
        and not pod["metadata"].get("deletionTimestamp")
        and any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", []))
    ]


def wait(seconds: float) -> None:
    """Let a fault last: here the time itself is what is asked for."""
    with pytest.raises(subprocess.TimeoutExpired):
        subprocess.run(["sleep", "infinity"], timeout=seconds, check=True)


def carried_through(lab: ClusterLab, versions: list[str], hold: str, fault: Callable[[], object]) -> Json:
    """The summary of a rollout under whose analysis `fault` happens: how it ends is told, with all that its users met."""
    with rollout(lab, *BUSY, "--to", versions[-1], "--hold", hold) as live:
        live.reaches("analyse")
        with bystander(lab) as user:
            fault()
            summary, said = live.ended(0, 1, 3)
    require_told(summary, said, versions)
    require_accounted(summary, user)
    return summary


def test_while_istiod_is_away_the_rollout_waits_for_it(up: ClusterLab, versions: list[str]) -> None:
    """The gateway goes on with what it was told last."""
    with rollout(up, *BUSY, "--to", versions[-1]) as live:
        live.reaches("analyse")
        with bystander(up) as user, scaled_away(up, "istio-system", "istiod"):
            live.reaches(f"deploy {versions[-1]} to green, 2", f"deploy {versions[-1]} to blue, 2")
            wait_for(lambda: len(pods_of(up, versions[-1])) == 2, "the second replica does not get ready")
            require_answered(user)
        summary, _ = live.ended(0)

    require_accounted(summary, user)


def aborted(lab: ClusterLab) -> bool:
    """Whether `labctl abort` has come to the end of what is left."""
    process = lab.start("abort")
    process.communicate(timeout=2 * MINUTES)
    return process.returncode == 0


@pytest.mark.everything
def test_where_istiod_stays_away_the_last_safe_state_is_kept_until_it_is_back(up: ClusterLab, versions: list[str]) -> None:
    with rollout(up, *BUSY, "--to", versions[-1], "--timeout", "15s") as live:
        live.reaches("analyse")
        with bystander(up) as user, scaled_away(up, "istio-system", "istiod"):
            summary, said = live.ended(3)

            assert summary["outcome"] == "error"
            assert "route 100 %" in summary["left"]
            assert "istiod" in said
            require_answered(user)

    require_accounted(summary, user)
    # the gateway asks istiod for its routes again after a while of its own, and the run's timeout holds for its way back too
    wait_for(lambda: aborted(up), "it cannot be ended though istiod is back")
    versions.pop()


def test_a_gateway_that_dies_is_waited_for_and_what_it_cost_is_told(up: ClusterLab, versions: list[str]) -> None:
    """Its pod dies without a word, and users are not answered until there is another one."""
    gateway = ("kubectl", "--context", up.context, "--namespace", "istio-system")

    def dies() -> None:
        up.tool(*gateway, "delete", "pod", "--selector", "istio=ingressgateway", "--force", "--grace-period", "0")

    summary = carried_through(up, versions, "10s", dies)

    assert summary["totals"]["failed"] + summary["totals"]["slow"] > 0


@pytest.mark.everything
def test_a_gateway_that_is_restarted_in_order_is_told_too(up: ClusterLab, versions: list[str]) -> None:
    gateway = ("kubectl", "--context", up.context, "--namespace", "istio-system", "rollout")

    def restarts() -> None:
        up.tool(*gateway, "restart", "deployment/istio-ingressgateway")
        up.tool(*gateway, "status", "deployment/istio-ingressgateway", "--timeout", "120s")

    carried_through(up, versions, "15s", restarts)


def test_a_candidate_whose_only_pod_dies_is_judged_by_what_its_users_met(up: ClusterLab, versions: list[str]) -> None:
    def dies() -> None:
        (pod,) = pods_of(up, versions[-1])
        up.kubectl("delete", "pod", pod, "--force", "--grace-period", "0")

    carried_through(up, versions, "20s", dies)


def test_stable_loses_a_pod_and_then_prometheus_is_gone(up: ClusterLab, versions: list[str]) -> None:
    """A pod that ends in order costs nobody anything, and nothing is promoted that only one witness has seen."""
    with rollout(up, *BUSY, "--to", versions[-1], "--hold", "60s") as live:
        live.reaches("analyse")
        with bystander(up) as user:
            up.kubectl("delete", "pod", pods_of(up, versions[0])[0])
            wait_for(lambda: len(pods_of(up, versions[0])) == 2, "the pod is not made anew")
            assert live.process.poll() is None
            with scaled_away(up, "lab", "prometheus"):
                summary, said = live.ended(3)

    assert summary["outcome"] == "error"
    assert "Prometheus" in summary["reason"]
    require_told(summary, said, versions)
    assert [failed_in(phase) for phase in summary["phases"] if phase["name"] in {"50 %", "way back"}] == [0, 0]
    assert user.failed == []


@pytest.mark.parametrize("fault", [frozen, pytest.param(gone, marks=pytest.mark.everything)])
def test_an_api_server_that_is_away_is_waited_for(up: ClusterLab, versions: list[str], fault: Fault) -> None:
    """Users do not pass through it. It comes last, as all that it led starts anew afterwards."""
    with rollout(up, *BUSY, "--to", versions[-1]) as live:
        live.reaches("analyse")
        with bystander(up) as user:
            with fault(up):
                wait(AWAY_SECONDS)
                require_answered(user)
            summary, said = live.ended(0, 1, 3)

    assert "the cluster's API server did not answer for" in said
    assert any("API server did not answer" in note for note in summary["notes"])
    require_told(summary, said, versions)
    require_accounted(summary, user)


def require_told(summary: Json, said: str, versions: list[str]) -> None:
    """It went on, or back and says why; which of both is told by its exit code, its outcome and by who serves afterwards."""
    if summary["outcome"] != "promoted":
        assert summary["outcome"] in {"rolled_back", "error", "inconclusive"}
        assert summary["reason"]
        assert "stable has all the traffic" in said
        versions.pop()


def require_accounted(summary: Json, user: Bystander) -> None:
    """What users met is in the report: where one more user found the lab failing, so did the rollout's own."""
    assert summary["totals"]["failed"] == sum(failed_in(phase) for phase in summary["phases"])
    assert summary["totals"]["failed"] > 0 or user.failed == []


def require_answered(user: Bystander) -> None:
    """Users went on being answered meanwhile."""
    assert user.good > len(user.failed)


def failed_in(phase: Json) -> int:
    """How many of a phase's requests failed, whoever is charged with them."""
    return int(phase["unattributed"]) + sum(int(role["failed"]) for role in phase["roles"].values())
