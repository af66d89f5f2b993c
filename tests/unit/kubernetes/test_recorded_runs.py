"""What a cluster knows of a run that is carried out elsewhere, as a folder here, whoever looks on."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from cli.clock import SystemClock
from cli.recorded_runs import RecordedRuns
from impact.rundir import RunFolder
from platforms.kubernetes.client import Cluster
from platforms.kubernetes.record import Record
from strategies.events import AnyEvent, Noted
from tests.unit.impact.recorded_run import START, a_run
from tests.unit.kubernetes.api_server import api_server

RUN = a_run()


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Record]:
    with api_server(tmp_path) as (_, config):
        cluster = Cluster("test", clock=SystemClock(), patience=0.0, kubeconfig=config)
        yield Record(cluster, "lab")
        cluster.close()


def noted(number: int) -> AnyEvent:
    return Noted(at=START + timedelta(seconds=number), text=f"number {number}")


def test_its_folder_says_where_its_users_log_is(record: Record, tmp_path: Path) -> None:
    record.write(RUN, [noted(1)], "far-away:/runs/x")

    found = RecordedRuns(record, tmp_path / "runs").current()

    assert found is not None
    told, *events = found.events()
    assert isinstance(told, Noted)
    assert "on far-away in /runs/x" in told.text
    assert events == [noted(1)]


def test_two_who_look_on_at_once_have_one_folder_in_which_everything_stands_once(record: Record, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    written: list[AnyEvent] = []
    for number in range(20):
        written.append(noted(number))
        record.write(RUN, written, "far-away:/runs/x")
        looking = [threading.Thread(target=RecordedRuns(record, runs).current) for _ in range(4)]
        for one in looking:
            one.start()
        for one in looking:
            one.join()

    (folder,) = runs.glob("*/plan.json")
    assert list(RunFolder.open(folder.parent).events()[1:]) == written
