"""An installation that fails says which pod keeps it, and why, as far as the cluster tells."""

from typing import Any

import pytest

from platforms.kubernetes import obstacles
from platforms.kubernetes.client import Cluster
from strategies.errors import ToolFailed
from tests.unit.kubernetes.api_server import ApiServer

Json = dict[str, Any]

ROOT = "/api/v1/namespaces/lab"
WELL: Json = {"metadata": {"name": "store-1", "uid": "1"}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}
UNPULLED: Json = {
    "metadata": {"name": "prometheus-1", "uid": "2"},
    "status": {
        "containerStatuses": [{"name": "prometheus", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}]
    },
}
CRASHED: Json = {
    "metadata": {"name": "database-1", "uid": "3"},
    "status": {
        "containerStatuses": [{"name": "database", "state": {"terminated": {"exitCode": 1, "message": "starting\nno space left\n"}}}]
    },
}
WARNING: Json = {"metadata": {"name": "w"}, "lastTimestamp": "2026-01-01T00:00:00Z", "reason": "BackOff", "message": "it is started again"}


def said(cluster: Cluster) -> str:
    """What is said of an installation by helm that fails."""
    with pytest.raises(ToolFailed) as caught, obstacles.explaining(cluster, "lab", "the lab's own parts", "app=lab"):
        raise ToolFailed("helm failed", ("helm", "upgrade"), "timed out waiting for the condition")
    assert caught.value.command == ("helm", "upgrade")
    return str(caught.value)


def test_the_pod_that_keeps_it_is_named_with_its_reason(api: tuple[ApiServer, Cluster]) -> None:
    server, cluster = api
    server.objects = {f"{ROOT}/pods/store-1": WELL, f"{ROOT}/pods/prometheus-1": UNPULLED}

    told = said(cluster)

    assert told.startswith("the lab's own parts cannot run, as the pod prometheus-1 is not ready: ImagePullBackOff: no such image")
    assert "timed out waiting for the condition" in told
    assert ("GET", {"labelSelector": ["app=lab"]}) in server.requests


def test_its_newest_warning_and_its_last_words_are_told(api: tuple[ApiServer, Cluster]) -> None:
    server, cluster = api
    server.objects = {f"{ROOT}/pods/database-1": CRASHED, f"{ROOT}/events/w": WARNING}

    assert "database-1 is not ready: BackOff: it is started again; its last words: no space left" in said(cluster)


def test_pods_that_may_not_be_made_are_told_of(api: tuple[ApiServer, Cluster]) -> None:
    server, cluster = api
    condition = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: full"}
    server.objects = {
        "/apis/apps/v1/namespaces/lab/deployments/store": {"metadata": {"name": "store"}, "status": {"conditions": [condition]}}
    }

    assert "cannot run, as store may not run: exceeded quota: full" in said(cluster)


@pytest.mark.parametrize("outage", [False, True])
def test_a_failure_stays_what_it_was_where_no_pod_tells_of_it(api: tuple[ApiServer, Cluster], outage: bool) -> None:
    server, cluster = api
    server.objects = {f"{ROOT}/pods/store-1": WELL}
    server.failures = 100 * outage

    assert said(cluster) == "helm failed: timed out waiting for the condition (command: helm upgrade)"
