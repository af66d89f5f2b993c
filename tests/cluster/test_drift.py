"""Somebody else changes the routes while a rollout runs on a real cluster: noticed within seconds, named, and taken back."""

import json
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from tests.cluster.lab import MINUTES, ClusterLab
from tests.cluster.rollouts import ROUTES, Json, events, rollout

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(20 * MINUTES)]

NOTICED_SECONDS = 10.0
"""From the change to the first step of the way back, or to the routes that were taken back; what is promised is 2 s."""


def seconds_until(lab: ClusterLab, since: float, wanted: Callable[[Json], bool]) -> float:
    """How long after `since` (epoch seconds) the first such event of the newest run was."""
    times = [datetime.fromisoformat(event["at"]).timestamp() for event in events(lab) if wanted(event)]
    return min(at for at in times if at >= since) - since


def goes_back(event: Json) -> bool:
    return bool(event["type"] == "StepStarted" and event.get("way_back"))


def test_an_edit_of_the_weights_is_noticed_named_and_undone(up: ClusterLab, versions: list[str]) -> None:
    with rollout(up, "--hold", "60s", "--to", versions.pop()) as live:
        live.reaches("analyse")
        edited = time.time()
        edit(up)
        summary, said = live.ended(3)

    assert "bob changed the routes" in summary["reason"]
    assert "the routes that bob had changed were taken back" in said
    assert seconds_until(up, edited, goes_back) <= NOTICED_SECONDS


def test_an_edit_of_the_weights_is_reclaimed_where_that_is_asked_for(up: ClusterLab, versions: list[str]) -> None:
    with rollout(up, "--hold", "8s", "--to", versions[-1], "--on-drift", "reclaim") as live:
        live.reaches("analyse")
        edited = time.time()
        edit(up)
        _, said = live.ended(0)

    taken = "the routes that bob had changed were taken back"
    assert taken in said
    assert seconds_until(up, edited, lambda event: taken in event.get("text", "")) <= NOTICED_SECONDS


def edit(lab: ClusterLab) -> None:
    """Somebody else changes the weights of the routes that everybody gets."""
    found = json.loads(lab.kubectl("get", ROUTES, "--output", "json"))
    rules = found["spec"]["http"]
    index = next(index for index, rule in enumerate(rules) if len(rule.get("route", [])) == 2)
    changes = [
        {"op": "replace", "path": f"/spec/http/{index}/route/{position}/weight", "value": weight}
        for position, weight in enumerate((90, 10))
    ]
    lab.kubectl("patch", ROUTES, "--type", "json", "--patch", json.dumps(changes), "--field-manager", "bob")


def test_another_virtual_service_on_the_gateway_is_named(up: ClusterLab, versions: list[str], tmp_path: Path) -> None:
    rival = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "rival", "namespace": "lab"},
        "spec": {
            "hosts": ["rival.example"],
            "gateways": ["lab"],
            "http": [{"route": [{"destination": {"host": "model-api-blue", "port": {"number": 8000}}}]}],
        },
    }
    file = tmp_path / "rival.json"
    file.write_text(json.dumps(rival))

    try:
        with rollout(up, "--hold", "60s", "--to", versions.pop()) as live:
            live.reaches("analyse")
            applied = time.time()
            up.kubectl("apply", "--server-side", "--field-manager", "carol", "--filename", str(file))
            summary, _ = live.ended(3)
    finally:
        up.kubectl("delete", "virtualservice.networking.istio.io/rival", "--ignore-not-found")

    assert "lab/rival, written by carol" in summary["reason"]
    assert seconds_until(up, applied, goes_back) <= NOTICED_SECONDS
