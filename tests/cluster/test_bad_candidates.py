"""Candidates that are bad on a real cluster, each in its own way: what is said of them, and how long users still get one."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.lab import MINUTES, ClusterLab
from tests.cluster.rollouts import QUICK, Json, failures, other_than, require_one_version, stable

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(20 * MINUTES)]

CHART = Path("charts/model-api")
LAST_ANSWER_SECONDS = 5.0
"""From the verdict to the last request that the candidate gets; what is promised is 1 s, on a machine that has nothing else to do."""


@pytest.fixture
def serving(up: ClusterLab) -> Iterator[str]:
    """The version that serves before and after."""
    serving = stable(up)["version"]
    yield serving
    require_one_version(up, serving)


def summary(lab: ClusterLab, *options: str, code: int) -> Json:
    found: Json = json.loads(lab.labctl("rollout", "canary", *QUICK, *options, "--json", code=code).stdout)
    return found


@pytest.mark.parametrize(
    ("candidate", "metric", "options"),
    [
        ("v2-broken", "failed", ("--hold", "30s")),
        ("v2-slow", "slow", ("--hold", "30s", "--objective-latency", "300ms")),
        ("v2-wrong", "wrong", ("--hold", "30s")),
    ],
)
def test_a_bad_candidate_is_rolled_back_for_what_is_bad_about_it(
    up: ClusterLab, serving: str, candidate: str, metric: str, options: tuple[str, ...]
) -> None:
    found = summary(up, "--to", candidate, *options, code=1)

    assert found["outcome"] == "rolled_back"
    assert f"candidate {metric}" in found["reason"]
    assert found["rollback_seconds"] <= LAST_ANSWER_SECONDS


NO_IMAGE = {"image": {"repository": "localhost:1/nobody/has-this", "tag": "ever", "pullPolicy": "IfNotPresent"}}
"""Whether there is a registry to be reached or not, at this port of the node is none."""
CRASHES = {"extraEnv": [{"name": "MODEL_API_ERROR_RATIO", "value": "7"}]}
NEVER_READY = {"extraEnv": [{"name": "MODEL_API_UNREADY", "value": "true"}]}
"""It is up, answers everybody who asks, and says all the time that it is not ready."""
NO_STORE = {"store": {"url": "s3://models", "secret": "lab-store", "endpoint": "http://192.0.2.1:7070"}}
"""An address that is kept for documentation."""
NO_ROOM = {"resources": {"requests": {"cpu": "999", "memory": "64Mi"}, "limits": {"memory": "512Mi"}}}


@contextmanager
def prepared(lab: ClusterLab, version: str, values: dict[str, Any]) -> Iterator[None]:
    """Somebody has put these values into the release of the free slot; labctl takes the slot as it finds it."""
    free = next(name for name, slot in json.loads(lab.labctl("status", "--json").stdout)["slots"].items() if slot["percent"] == 0)
    where = ("--kube-context", lab.context, "--namespace", "lab")
    used = json.loads(lab.tool("helm", "get", "values", f"model-api-{'blue' if free == 'green' else 'green'}", *where, "--output", "json"))
    file = Path(lab.environment["LAB_HOME"]).parent / "values.json"
    file.write_text(json.dumps({**used, **values, "slot": free, "version": version, "digest": "", "replicas": 0}))
    lab.tool("helm", "install", f"model-api-{free}", str(CHART), *where, "--values", str(file))
    try:
        yield
    finally:
        lab.tool("helm", "uninstall", f"model-api-{free}", *where, "--ignore-not-found")


@pytest.mark.parametrize(
    ("values", "reason", "timeout"),
    [
        pytest.param(NO_IMAGE, "ImagePullBackOff", "120s", id="an image that does not exist"),
        pytest.param(CRASHES, "MODEL_API_ERROR_RATIO", "120s", id="a crash at start", marks=pytest.mark.everything),
        pytest.param(NEVER_READY, "Readiness probe failed: HTTP probe failed with statuscode: 503", "25s", id="never ready"),
        pytest.param(NO_STORE, "192.0.2.1", "60s", id="no store", marks=pytest.mark.everything),
        pytest.param(NO_ROOM, "Insufficient cpu", "10s", id="no room", marks=pytest.mark.everything),
    ],
)
def test_a_candidate_that_cannot_run_is_never_routed(
    up: ClusterLab, serving: str, values: dict[str, Any], reason: str, timeout: str
) -> None:
    candidate = other_than(serving)
    with prepared(up, candidate, values):
        found = summary(up, "--to", candidate, "--timeout", timeout, code=3)

    assert reason in found["reason"]
    assert "stable has all the traffic" in found["reason"]
    assert found["totals"]["failed"] == 0, failures(up)
    assert found["first_candidate_answer_seconds"] is None
