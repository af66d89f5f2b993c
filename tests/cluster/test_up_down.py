"""`labctl up` and `down` on a real kind cluster. The tests are one story, told in order: cut off, up, up again, used, down."""

import json
import shlex
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import httpx
import pytest

from tests.cluster.lab import MINUTES, ClusterLab
from tests.cluster.lab import NAME as SHARED
from tests.cluster.rollouts import bystander
from tests.waiting import wait_for

NAME = f"{SHARED}-up-down"
"""A cluster of its own, as it is cut off while it is made, and deleted."""

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(20 * MINUTES)]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, store: Path) -> Iterator[ClusterLab]:
    """Nothing is up at first, and nothing afterwards."""
    lab = ClusterLab(tmp_path_factory.mktemp("up-down"), store, NAME)
    lab.end()
    yield lab
    lab.end()
    assert lab.containers() == []


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    # the machine's proxy settings are not for loopback
    with httpx.Client(timeout=30.0, trust_env=False) as client:
        yield client


def state(lab: ClusterLab) -> dict[str, object]:
    """Everything whose change would show that something was done again."""
    objects = lab.objects("pods,deployments,services,secrets,configmaps,virtualservices.networking.istio.io")
    releases = json.loads(lab.tool("helm", "list", "--kube-context", f"kind-{NAME}", "--namespace", "lab", "--output", "json"))
    versions = {f"{one['kind']}/{one['metadata']['name']}": one["metadata"].get("generation", one["metadata"]["uid"]) for one in objects}
    return {"uids": sorted(one["metadata"]["uid"] for one in objects), "versions": versions, "releases": releases}


def served(lab: ClusterLab) -> str:
    """The version that a new user is served; empty if nobody answers."""
    try:
        return str(httpx.get(f"{lab.gateway}/version", timeout=30.0, trust_env=False).json()["version"])
    except (httpx.TransportError, ValueError):
        return ""


def test_one_that_is_killed_half_way_is_completed_by_the_next(lab: ClusterLab) -> None:
    killed = lab.start("up")
    try:
        wait_for(lambda: bool(lab.containers()) or killed.poll() is not None, "no node was started", 15 * MINUTES)
        assert killed.poll() is None, killed.communicate()[1]
    finally:
        killed.kill()
        killed.communicate()

    done = lab.labctl("up", "--replicas", "2", "--json")

    assert "deploying v1 to blue" in done.stderr
    assert json.loads(done.stdout).items() >= {"already": False, "gateway": lab.gateway, "prometheus": lab.prometheus}.items()


def test_users_are_served_and_prometheus_sees_every_replica(lab: ClusterLab, client: httpx.Client) -> None:
    assert client.get(f"{lab.gateway}/version").json().items() >= {"version": "v1", "slot": "blue"}.items()
    assert client.get(f"{lab.gateway}/version").headers["x-lab-slot"] == "blue"

    def watched() -> list[dict[str, str]]:
        answer = client.get(f"{lab.prometheus}/api/v1/query", params={"query": 'up{job="model-api"} == 1'}).json()
        return [one["metric"] for one in answer["data"]["result"]]

    addresses = {f"{pod['status']['podIP']}:8000" for pod in lab.objects("pods") if pod["metadata"]["labels"].get("lab/slot") == "blue"}
    wait_for(lambda: {one["instance"] for one in watched()} == addresses, "not every replica is scraped")
    assert len(addresses) == 2
    assert {(one["slot"], one["version"]) for one in watched()} == {("blue", "v1")}


def test_the_namespace_enforces_pod_security_and_helms_own_test_passes(lab: ClusterLab) -> None:
    found = json.loads(lab.tool("kubectl", "--context", f"kind-{NAME}", "get", "namespace", "lab", "--output", "json"))

    assert found["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    lab.tool("helm", "test", "model-api-blue", "--kube-context", f"kind-{NAME}", "--namespace", "lab")


def test_a_second_call_changes_nothing(lab: ClusterLab) -> None:
    before = state(lab)

    done = lab.labctl("up", "--json")

    assert json.loads(done.stdout)["already"] is True
    assert state(lab) == before


def test_after_a_change_of_the_code_it_says_how_the_replicas_get_it_and_they_do(lab: ClusterLab) -> None:
    """A rollout changes the version of the model and nothing else, so what it deploys has the image of what serves."""

    def images() -> set[str]:
        pods = [pod for pod in lab.objects("pods") if pod["metadata"]["labels"].get("lab/slot") == "blue"]
        return {container["image"] for pod in pods for container in pod["spec"]["containers"]}

    (old,) = images()
    new = f"{old.rpartition(':')[0]}:newer"
    node, name = f"{NAME}-control-plane", "docker.io/library/{}".format
    lab.tool("docker", "exec", node, "ctr", "--namespace", "k8s.io", "images", "tag", name(old), name(new))
    lab.environment["LAB_IMAGE"] = new
    try:
        said = lab.labctl("up", "--platform", "kind").stdout
        assert f"its replicas run {old}, and {new} is what is here now" in said
        assert (
            said.splitlines()[-1] == "every other command reaches it by `--platform kind`, or without it after `export LAB_PLATFORM=kind`"
        )

        (command,) = [line for line in said.splitlines() if line.startswith("  helm upgrade ")]
        assert "strategy.type=RollingUpdate" in command, "the last rollout may have left another"
        with bystander(lab) as user:
            lab.tool(*shlex.split(command))
            wait_for(lambda: images() == {new}, "the replicas are not exchanged", 3 * MINUTES)
        assert user.failed == []
        assert "its replicas run" not in lab.labctl("up").stdout
    finally:
        del lab.environment["LAB_IMAGE"]


def test_status_tells_what_there_is(lab: ClusterLab) -> None:
    found = json.loads(lab.labctl("status", "--json").stdout)

    assert found["slots"]["blue"] == {"role": "stable", "version": "v1", "percent": 100, "replicas": 2, "ready": 2}
    assert found["lab"]["gateway"] == lab.gateway


def test_a_pod_that_ends_answers_all_that_it_was_sent(lab: ClusterLab, client: httpx.Client) -> None:
    ended = Event()

    def use() -> list[str]:
        failed = []
        while not ended.is_set():
            try:
                answer = client.get(f"{lab.gateway}/version")
                failed += [] if answer.status_code == 200 else [f"{answer.status_code} {answer.text}"]
            except httpx.TransportError as error:
                failed.append(repr(error))
        return failed

    old = [pod["metadata"]["name"] for pod in lab.objects("pods") if pod["metadata"]["labels"].get("lab/slot") == "blue"]
    with ThreadPoolExecutor(4) as users:
        using = [users.submit(use) for _ in range(4)]
        try:
            lab.tool("kubectl", "--context", f"kind-{NAME}", "--namespace", "lab", "delete", "pod", old[0], "--wait=true")
        finally:
            ended.set()
        assert [failed for one in using for failed in one.result()] == []


def test_a_rollout_gives_a_store_that_was_replaced_what_serves_again_and_the_lab_is_not_taken_away_under_it(
    lab: ClusterLab, client: httpx.Client
) -> None:
    lab.kubectl("delete", "pod", "--selector", "app.kubernetes.io/name=store", "--wait=true")
    lab.kubectl("rollout", "status", "deployment/store", "--timeout", "120s")
    rollout = lab.start("rollout", "canary", "--rate", "20", "--baseline", "10m", "--to", "v2")
    try:
        wait_for(lambda: bool(json.loads(lab.labctl("status", "--json").stdout)["run"]), "the rollout has not begun")
        lab.kubectl("delete", "pod", "--selector", "lab/slot=blue", "--wait=true")
        lab.kubectl("rollout", "status", "deployment/model-api-blue", "--timeout", "120s")

        assert "labctl rollout canary" in lab.labctl("down", code=3).stderr
        assert client.get(f"{lab.gateway}/version").status_code == 200
    finally:
        rollout.terminate()
        rollout.communicate(timeout=3 * MINUTES)
    assert rollout.returncode == 130


def test_on_a_cluster_of_somebody_else_only_its_own_namespace_is_used(lab: ClusterLab) -> None:
    """Where the cluster is not the lab's, `down` ends the lab and leaves the cluster, Istio and every other namespace alone."""
    (image,) = {pod["spec"]["containers"][0]["image"] for pod in lab.objects("pods") if "lab/slot" in pod["metadata"]["labels"]}
    lab.environment |= {"LAB_IMAGE": image, "LAB_GATEWAY_URL": lab.gateway, "LAB_PROMETHEUS_URL": lab.prometheus}
    theirs = ("--platform", "kubernetes", "--context", f"kind-{NAME}", "--namespace")
    before = lab.namespaces()
    try:
        lab.labctl("down", *theirs, "lab")
        assert lab.namespaces() == before - {"lab"}

        lab.labctl("up", *theirs, "team", "--replicas", "1")
        assert lab.namespaces() == before - {"lab"} | {"team"}
        wait_for(lambda: served(lab) == "v1", "users are not served")

        lab.labctl("down", *theirs, "team")
        assert lab.namespaces() == before - {"lab"}
        wait_for(lambda: served(lab) == "", "the gateway still answers for a lab that is gone")
    finally:
        for variable in ("LAB_IMAGE", "LAB_GATEWAY_URL", "LAB_PROMETHEUS_URL"):
            del lab.environment[variable]


def test_down_leaves_nothing_and_can_be_repeated(lab: ClusterLab) -> None:
    lab.labctl("down")

    assert lab.containers() == []
    assert f"kind-{NAME}" not in lab.tool("kubectl", "config", "get-contexts", "--output", "name")
    if not lab.other_labs():
        assert lab.tool("docker", "image", "ls", "--quiet", "--filter", "label=lab.part=model-api") == ""
    assert "no lab" in lab.labctl("down").stdout


@pytest.mark.everything
def test_after_down_it_comes_up_as_the_first_time(lab: ClusterLab) -> None:
    assert json.loads(lab.labctl("up", "--replicas", "1", "--json").stdout)["already"] is False
    wait_for(lambda: served(lab) == "v1", "users are not served")

    lab.labctl("down")
    assert lab.containers() == []


def test_a_cluster_of_somebody_else_is_left_alone(lab: ClusterLab) -> None:
    """Also if it has the name that ours would have."""
    base = lab.environment.get("LAB_BASE_IMAGE", "python:3.13-slim")
    node = f"{NAME}-control-plane"
    lab.end()
    lab.tool("docker", "run", "--detach", "--name", node, "--label", f"io.x-k8s.kind.cluster={NAME}", base, "sleep", "infinity")
    try:
        for command in ("up", "down"):
            assert "LAB_CLUSTER" in lab.labctl(command, code=3).stderr
        assert len(lab.containers()) == 1
    finally:
        lab.tool("docker", "rm", "--force", node)
