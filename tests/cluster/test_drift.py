"""Somebody else changes the routes while a rollout runs on a real cluster: noticed within seconds, named, and taken back."""

import json
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from strategies.errors import RouteRefused
from strategies.traffic import Slot
from tests.cluster.lab import MINUTES, ClusterLab
from tests.cluster.rollouts import ROUTES, Json, events, rollout, status

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


def test_an_edit_is_reclaimed_where_that_is_asked_for_also_while_the_old_version_is_kept(up: ClusterLab, versions: list[str]) -> None:
    taken = "the routes that bob had changed were taken back"

    def taken_back(since: float) -> float:
        return seconds_until(up, since, lambda event: taken in event.get("text", ""))

    with rollout(up, "--hold", "8s", "--keep", "12s", "--to", versions[-1], "--on-drift", "reclaim") as live:
        live.reaches("analyse")
        edited = time.time()
        edit(up)
        live.reaches("hold")
        edited_later = time.time()
        send_everybody_to_the_old_version(up)
        _, said = live.ended(0)

    assert said.count(taken) == 2
    assert taken_back(edited) <= NOTICED_SECONDS
    assert taken_back(edited_later) <= NOTICED_SECONDS


def edit(lab: ClusterLab) -> None:
    """Somebody else changes the weights of the routes that everybody gets."""
    rules = rules_of(lab)
    index = next(index for index, rule in enumerate(rules) if len(rule.get("route", [])) == 2)
    change(lab, [(f"/spec/http/{index}/route/{position}/weight", weight) for position, weight in enumerate((90, 10))])


def send_everybody_to_the_old_version(lab: ClusterLab) -> None:
    """Somebody else undoes a promotion behind labctl's back."""
    rules = rules_of(lab)
    path = f"/spec/http/{len(rules) - 1}/route/0/destination/host"
    new = str(rules[-1]["route"][0]["destination"]["host"])
    change(lab, [(path, new.replace("green", "blue") if "green" in new else new.replace("blue", "green"))])


def rules_of(lab: ClusterLab) -> list[Json]:
    """What the routes say of requests, the first that fits decides."""
    return list(json.loads(lab.kubectl("get", ROUTES, "--output", "json"))["spec"]["http"])


def change(lab: ClusterLab, values: list[tuple[str, object]]) -> None:
    """Write values into the routes by their paths, as bob."""
    changes = [{"op": "replace", "path": path, "value": value} for path, value in values]
    lab.kubectl("patch", ROUTES, "--type", "json", "--patch", json.dumps(changes), "--field-manager", "bob")


def test_another_virtual_service_on_the_gateway_is_named_and_its_users_are_not_cut_off(
    up: ClusterLab, versions: list[str], tmp_path: Path
) -> None:
    def send(slot: Slot) -> None:
        rival = {
            "apiVersion": "networking.istio.io/v1",
            "kind": "VirtualService",
            "metadata": {"name": "rival", "namespace": "lab"},
            "spec": {
                "hosts": ["rival.example"],
                "gateways": ["lab"],
                "http": [{"route": [{"destination": {"host": f"model-api-{slot}", "port": {"number": 8000}}}]}],
            },
        }
        file = tmp_path / "rival.json"
        file.write_text(json.dumps(rival))
        up.kubectl("apply", "--server-side", "--field-manager", "carol", "--filename", str(file))

    serving = next(slot for slot in Slot if status(up)["slots"][slot]["role"] == "stable")
    other_version = versions.pop()
    try:
        with rollout(up, "--hold", "60s", "--to", other_version) as live:
            live.reaches("analyse")
            applied = time.time()
            send(serving)
            summary, _ = live.ended(3)
        for options in ((), ("--on-drift", "reclaim")):
            refused = up.labctl("rollout", "canary", "--to", other_version, *options, code=3)
            assert "lab/rival, written by carol" in " ".join(refused.stderr.split())

        send(serving.other)
        with up.verbs() as verbs, verbs.lease.held("a test") as held, pytest.raises(RouteRefused, match=f"sends users to {serving.other}"):
            verbs.platform(held).retire(serving.other)
    finally:
        up.kubectl("delete", "virtualservice.networking.istio.io/rival", "--ignore-not-found")

    assert "lab/rival, written by carol" in summary["reason"]
    assert seconds_until(up, applied, goes_back) <= NOTICED_SECONDS
