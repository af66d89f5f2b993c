"""Rollouts that begin on a cluster where something is unusual: one is under way, stable has no pod left, there is no room."""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.lab import MINUTES, ClusterLab
from tests.cluster.rollouts import failures
from tests.v3 import with_v3

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(20 * MINUTES)]

Json = dict[str, Any]

# what is judged matters little here; slower than that is nothing but a broken machine
CANARY = (
    *("rollout", "canary", "--rate", "60", "--weight", "50", "--baseline", "1s", "--hold", "15s", "--keep", "1s"),
    *("--detect", "40", "--objective-latency", "3s", "--json"),
)


@pytest.fixture
def v1(up: ClusterLab) -> ClusterLab:
    """The lab with two replicas of v1."""
    up.serve(replicas=2)
    return up


def serving(lab: ClusterLab) -> tuple[str, int]:
    """The version and the ready pods of the only slot that is not empty."""
    slots = json.loads(lab.labctl("status", "--json").stdout)["slots"].values()
    ((version, ready),) = [(slot["version"], slot["ready"]) for slot in slots if slot["replicas"]]
    assert [slot["percent"] for slot in slots if slot["version"] == version] == [100]
    return version, ready


def kubectl(lab: ClusterLab, *command: str) -> str:
    return lab.tool("kubectl", "--context", lab.context, "--namespace", "lab", *command)


@contextmanager
def analysed(lab: ClusterLab, *command: str) -> Iterator["subprocess.Popen[str]"]:
    """A rollout that has come to its analysis."""
    runs = Path(lab.environment["LAB_RUNS"])
    before = set(runs.glob("*"))
    rollout = lab.start(*command)
    deadline = time.monotonic() + 2 * MINUTES
    try:
        while not any('"title":"analyse' in path.read_text() for new in set(runs.glob("*")) - before for path in new.glob("events.jsonl")):
            assert rollout.poll() is None, rollout.communicate()[1]
            assert time.monotonic() < deadline, "no analysis began"
            time.sleep(0.1)
        yield rollout
    finally:
        rollout.kill()
        rollout.communicate()


def test_a_third_version_supersedes_the_second_in_mid_canary_and_no_request_is_lost(v1: ClusterLab, store: Path, tmp_path: Path) -> None:
    environment = v1.environment
    v1.environment = environment | {"LAB_STORE": str(with_v3(store, tmp_path / "models"))}
    try:
        with analysed(v1, *CANARY, "--hold", "5m", "--detect", "1") as second:
            third: Json = json.loads(v1.labctl(*CANARY, "--to", "v3", "--supersede").stdout)
            _, said = second.communicate(timeout=MINUTES)
    finally:
        v1.environment = environment

    assert second.returncode == 130, said
    assert (third["from"], third["to"], third["outcome"]) == ("v1", "v3", "promoted")
    assert third["totals"]["failed"] == 0, failures(v1)
    first = json.loads(max(Path(v1.environment["LAB_RUNS"]).glob("*-canary-v1-v2/summary.json")).read_text())
    assert (first["outcome"], first["totals"]["failed"]) == ("interrupted", 0)
    assert serving(v1) == ("v3", 2)


def test_a_stable_without_a_pod_does_not_block_the_way_forward(v1: ClusterLab) -> None:
    """Somebody has scaled it to nothing; how many replicas are needed is not to be guessed from that."""
    kubectl(v1, "scale", "deployment/model-api-blue", "--replicas", "0")
    kubectl(v1, "wait", "--for", "delete", "pod", "--selector", "app.kubernetes.io/instance=model-api-blue", "--timeout", "60s")

    refused = v1.labctl(*CANARY, code=2)
    promoted: Json = json.loads(v1.labctl(*CANARY, "--replicas", "2", "--weight", "100").stdout)

    assert "say by --replicas how many" in refused.stderr.replace("\n", " ")
    assert promoted["outcome"] == "promoted"
    assert next(phase for phase in promoted["phases"] if phase["name"] == "baseline")["roles"]["stable"]["failed"] > 0
    assert serving(v1) == ("v2", 2)


def test_without_room_for_the_replicas_that_a_weight_needs_it_gets_no_weight(v1: ClusterLab) -> None:
    here = len(v1.objects("pods"))
    kubectl(v1, "create", "quota", "one-more", "--hard", f"pods={here + 1}")
    try:
        done = v1.labctl(*CANARY, "--weight", "100", code=3)
    finally:
        kubectl(v1, "delete", "quota", "one-more")

    summary: Json = json.loads(done.stdout)
    assert "exceeded quota: one-more" in summary["reason"]
    assert (summary["first_candidate_answer_seconds"], summary["totals"]["failed"]) == (None, 0)
    assert serving(v1) == ("v1", 2)


def test_what_serves_already_is_refused(v1: ClusterLab) -> None:
    refused = v1.labctl(*CANARY, "--to", "v1", code=2)

    assert "v1 is stable already" in refused.stderr.replace("\n", " ")
    assert serving(v1) == ("v1", 2)
