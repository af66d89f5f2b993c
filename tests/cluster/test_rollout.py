"""A canary on a real cluster under load, and what may come in between. The tests share a lab; each ends with one version that serves."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from impact.binomial import plausible
from tests.cluster.lab import MINUTES, ClusterLab

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(20 * MINUTES)]

Json = dict[str, Any]

QUICK = (
    "--rate",
    "100",
    "--weight",
    "50",
    "--hold",
    "4s",
    "--baseline",
    "1s",
    "--keep",
    "1s",
    "--detect",
    "30",
    "--objective-latency",
    "1s",
)
"""Slower than that is nothing but a broken machine: a busy one must not be taken for a bad candidate."""
LONG = (*QUICK, "--hold", "60s")
ROUTES = "virtualservice.networking.istio.io/model-api"


@pytest.fixture
def versions(up: ClusterLab) -> Iterator[tuple[str, str]]:
    """The version that serves and the other good one; afterwards one version has all the traffic and nobody is left behind."""
    serving = stable(up)["version"]
    yield serving, "v2" if serving == "v1" else "v1"
    found = status(up)
    assert found["holder"] is None
    assert not found["left_behind"]
    assert sorted(slot["percent"] for slot in found["slots"].values()) == [0, 100]
    assert [slot["replicas"] for slot in found["slots"].values() if slot["percent"] == 0] == [0]


def status(lab: ClusterLab) -> Json:
    found: Json = json.loads(lab.labctl("status", "--json").stdout)
    return found


def stable(lab: ClusterLab) -> Json:
    found: Json = next(slot for slot in status(lab)["slots"].values() if slot["role"] == "stable")
    return found


def canary(lab: ClusterLab, *options: str, code: int) -> Json:
    summary: Json = json.loads(lab.labctl("rollout", "canary", *QUICK, *options, "--json", code=code).stdout)
    return summary


def wait_for(lab: ClusterLab, rollout: "subprocess.Popen[str]", step: str) -> None:
    """Wait until the newest run has begun a step whose title begins so."""
    runs = Path(lab.environment["LAB_RUNS"])
    deadline = time.monotonic() + 3 * MINUTES
    while True:
        events = max(runs.glob("*/events.jsonl"), key=lambda file: file.stat().st_mtime_ns, default=None)
        if events and f'"title":"{step}' in events.read_text():
            return
        assert rollout.poll() is None, rollout.communicate()[1]
        assert time.monotonic() < deadline, f"no step {step}"
        time.sleep(0.1)


def ended(rollout: "subprocess.Popen[str]", code: int) -> str:
    """What it said until its end, which must be `code`."""
    _, said = rollout.communicate(timeout=3 * MINUTES)
    assert rollout.returncode == code, said
    return said


def meanwhile(lab: ClusterLab, command: tuple[str, ...], act: Callable[[], object], *, code: int, step: str = "analyse") -> str:
    """Act once a rollout has come to a step; what it said until its end."""
    newest(lab)
    rollout = lab.start(*command)
    try:
        wait_for(lab, rollout, step)
        act()
        return ended(rollout, code)
    finally:
        rollout.kill()
        rollout.communicate()


def newest(lab: ClusterLab) -> None:
    """Put the runs that have ended aside, so that the newest one is the next one."""
    runs = Path(lab.environment["LAB_RUNS"])
    aside = runs.with_name("runs-before")
    aside.mkdir(exist_ok=True)
    for folder in runs.glob("*"):
        folder.rename(aside / f"{folder.name}-{time.monotonic_ns()}")


def test_a_good_candidate_is_promoted_and_no_request_is_lost(up: ClusterLab, versions: tuple[str, str]) -> None:
    _, other = versions

    summary = canary(up, "--to", other, "--weight", "25", "--hold", "10s", code=0)

    assert summary["outcome"] == "promoted"
    assert summary["totals"]["failed"] == 0
    assert summary["totals"]["downtime_seconds"] == 0
    phase = next(phase for phase in summary["phases"] if phase["name"] == "25 %")
    served, stayed = (phase["roles"][role]["requests"] for role in ("candidate", "stable"))
    assert plausible(served, served + stayed, 0.25)
    assert summary["prometheus"][0]["prometheus"].keys() == {"blue", "green"}
    pods = [pod["metadata"]["labels"]["lab/version"] for pod in up.objects("pods") if "lab/slot" in pod["metadata"]["labels"]]
    assert pods == [other, other]


def test_a_bad_candidate_is_rolled_back_at_once(up: ClusterLab, versions: tuple[str, str]) -> None:
    summary = canary(up, "--to", "v2-broken", "--hold", "30s", code=1)

    assert summary["outcome"] == "rolled_back"
    assert "candidate failed" in summary["reason"]
    assert summary["rollback_seconds"] <= 5
    assert stable(up)["version"] == versions[0]


def test_an_edit_of_the_weights_is_noticed_named_and_undone(up: ClusterLab, versions: tuple[str, str]) -> None:
    said = meanwhile(up, ("rollout", "canary", *LONG, "--to", versions[1]), lambda: edit(up), code=3)

    assert "bob changed the routes" in said
    assert "the routes that bob had changed were taken back" in said
    assert stable(up)["version"] == versions[0]


def test_an_edit_of_the_weights_is_reclaimed_where_that_is_asked_for(up: ClusterLab, versions: tuple[str, str]) -> None:
    command = ("rollout", "canary", *QUICK, "--hold", "8s", "--to", versions[1], "--on-drift", "reclaim")

    said = meanwhile(up, command, lambda: edit(up), code=0)

    assert "the routes that bob had changed were taken back" in said
    assert stable(up)["version"] == versions[1]


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


def test_another_virtual_service_on_the_gateway_is_named(up: ClusterLab, versions: tuple[str, str], tmp_path: Path) -> None:
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
        said = meanwhile(
            up,
            ("rollout", "canary", *LONG, "--to", versions[1]),
            lambda: up.kubectl("apply", "--server-side", "--field-manager", "carol", "--filename", str(file)),
            code=3,
        )
    finally:
        up.kubectl("delete", "virtualservice.networking.istio.io/rival", "--ignore-not-found")

    assert "lab/rival, written by carol" in said
    assert stable(up)["version"] == versions[0]


def test_a_second_rollout_is_refused_by_the_name_of_the_first(up: ClusterLab, versions: tuple[str, str]) -> None:
    def second() -> None:
        said = up.labctl("rollout", "canary", "--to", "v2-wrong", code=3).stderr
        assert f"labctl rollout canary {' '.join(LONG)}" in said
        up.labctl("abort")

    meanwhile(up, ("rollout", "canary", *LONG, "--to", versions[1]), second, code=130)

    assert stable(up)["version"] == versions[0]


@pytest.mark.parametrize(("command", "step"), [("abort", "analyse"), ("resume", "analyse"), ("resume", "deploy")])
def test_a_killed_rollout_is_ended_or_resumed_from_another_checkout(
    up: ClusterLab, versions: tuple[str, str], command: str, step: str, tmp_path: Path
) -> None:
    newest(up)
    rollout = up.start("rollout", "canary", *QUICK, "--to", versions[1])
    try:
        wait_for(up, rollout, step)
    finally:
        rollout.kill()
        rollout.communicate()
    assert status(up)["left_behind"]
    here = up.environment["LAB_RUNS"]
    # as if on another machine: nothing of the run is to be found but what the cluster knows
    Path(here).rename(tmp_path / "gone")
    up.environment["LAB_RUNS"] = str(tmp_path / "runs")

    try:
        summary = json.loads(up.labctl(command, "--json").stdout)
    finally:
        up.environment["LAB_RUNS"] = here

    assert summary["outcome"] == ("interrupted" if command == "abort" else "promoted")
    assert stable(up)["version"] == versions[0 if command == "abort" else 1]
