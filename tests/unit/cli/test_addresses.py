"""On a cluster that is not the lab's own, nothing is sent to an address that nobody gave: this machine's ports may be another lab's."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.clock import SystemClock
from cli.status import tell
from platforms.kubernetes.client import Cluster
from platforms.kubernetes.record import Record
from strategies.events import StepStarted
from tests.unit.impact.recorded_run import START, a_run
from tests.unit.kubernetes.api_server import ApiServer, api_server

NAMESPACE = "/api/v1/namespaces/lab"
COMMANDS = (("rollout", "canary", "--supersede"), ("resume",), ("abort",))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ApiServer]:
    """A cluster with a lab on which a rollout was left behind."""
    with api_server(tmp_path) as (server, config):
        server.objects[NAMESPACE] = {"metadata": {"name": "lab"}}
        cluster = Cluster("test", clock=SystemClock(), patience=0.0, kubeconfig=config)
        Record(cluster, "lab").write(a_run(), [StepStarted(at=START, index=0, title="baseline")], "elsewhere:/runs/x")
        cluster.close()
        server.requests.clear()
        yield server


def test_whatever_uses_the_addresses_is_refused_before_anything_is_written(server: ApiServer, tmp_path: Path) -> None:
    # those of this machine's own environment must not help out
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LAB_")}
    folders = {f"LAB_{name.upper()}": str(tmp_path / name) for name in ("home", "runs", "store")}
    environment = {**kept, **folders, "KUBECONFIG": str(tmp_path / "kubeconfig")}
    lab = ("--platform", "kubernetes", "--context", "test")
    begun = [
        subprocess.Popen((sys.executable, "-m", "cli", *command, *lab), env=environment, stderr=subprocess.PIPE, text=True)
        for command in COMMANDS
    ]

    said = [process.communicate(timeout=120)[1] for process in begun]

    assert [process.returncode for process in begun] == [2] * len(COMMANDS), said
    for told in said:
        assert "test is no cluster of ours, so set LAB_GATEWAY_URL and LAB_PROMETHEUS_URL" in " ".join(told.split())
    assert {method for method, _ in server.requests} <= {"GET"}


def test_status_needs_no_address_and_says_how_to_give_one(capsys: pytest.CaptureFixture[str]) -> None:
    lab: dict[str, object] = {"gateway": None, "prometheus": "http://prometheus.test", "processes": []}

    tell({"lab": lab, "slots": {}, "holder": None, "run": None, "left_behind": False})

    said = capsys.readouterr().out
    assert "gateway     not known here; set LAB_GATEWAY_URL" in said
    assert "prometheus  http://prometheus.test" in said
