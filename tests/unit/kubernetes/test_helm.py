"""Helm is asked before it is told to write, and who has lost the lease in between writes nothing."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cli.clock import SystemClock
from platforms.kubernetes.client import Cluster
from platforms.kubernetes.held import Held
from platforms.kubernetes.helm import Helm
from platforms.kubernetes.lease import Lease
from strategies.errors import TakenOver
from strategies.plan import Release
from strategies.traffic import Slot
from tests.unit.kubernetes.api_server import api_server
from tests.unit.kubernetes.helm_program import WRITES, FakeHelm
from tests.waiting import wait_for


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHelm:
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    return FakeHelm(tmp_path)


@pytest.fixture
def lease(tmp_path: Path) -> Iterator[Lease]:
    with api_server(tmp_path) as (_, config):
        cluster = Cluster("test", clock=SystemClock(), patience=0.0, kubeconfig=config)
        yield Lease(cluster, "lab", clock=SystemClock())
        cluster.close()


def helm(held: Held) -> Helm:
    return Helm("test", "lab", digest=lambda version: f"digest of {version}", extra={"extra": True}, held=held)


def test_a_slot_gets_what_the_other_has_and_a_version_of_its_own(program: FakeHelm, lease: Lease) -> None:
    with lease.held("one") as held:
        helm(held).install(Slot.GREEN, Release(version="v2", replicas=3))

    assert program.asked() == ["status", "get", "upgrade"]
    wanted = {"image": {"tag": "one"}, "extra": True, "slot": "green", "version": "v2", "digest": "digest of v2", "replicas": 3}
    assert program.given().items() >= wanted.items()


@pytest.mark.parametrize(
    ("stopped_in", "status", "written"),
    [
        ("status", "deployed", []),
        ("get", "deployed", []),
        ("status", "pending-install", []),
        ("status", "pending-upgrade", []),
        ("uninstall", "pending-install", ["uninstall"]),
        ("rollback", "pending-upgrade", ["rollback"]),
    ],
)
def test_who_was_stopped_in_a_call_of_helm_and_is_woken_after_it_was_taken_over_writes_nothing_more(
    program: FakeHelm, lease: Lease, stopped_in: str, status: str, written: list[str]
) -> None:
    program.says(status, version=1 if status == "pending-install" else 2)
    program.stop_in(stopped_in)

    with ThreadPoolExecutor(1) as thread, lease.held("old") as old:
        installing = thread.submit(helm(old).install, Slot.GREEN, Release(version="v2", replicas=1))
        try:
            wait_for(lambda: stopped_in in program.asked() or installing.done(), f"helm {stopped_in} is not called")
            with lease.held("new", take_over=True):
                program.wake()
                with pytest.raises(TakenOver, match="new"):
                    installing.result()
        finally:
            program.wake()

    assert [command for command in program.asked() if command in WRITES] == written


def test_who_was_taken_over_removes_no_release(program: FakeHelm, lease: Lease) -> None:
    with lease.held("old") as old, lease.held("new", take_over=True), pytest.raises(TakenOver):
        helm(old).uninstall(Slot.BLUE)

    assert program.asked() == []
