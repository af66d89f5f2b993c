"""What a run's users send is the same wherever the run is gone on with, whatever models the machine has that goes on."""

import random
from pathlib import Path

import msgspec
import pytest

from cli.recorded_cases import RecordedCases
from impact.rundir import RunFolder
from platforms.kubernetes.cases import NAME, CasesRecord
from platforms.kubernetes.client import Cluster
from strategies.errors import StoreRefused
from tests.unit.impact.recorded_run import a_run
from tests.unit.kubernetes.api_server import ApiServer

RUN = a_run()
CASES = b"case,truth,size\n1,benign,2.5\n"
OTHERS = b"case,truth,size\n9,malignant,7.5\n"


class Machine:
    """A checkout with a store that has these cases, or none, and a folder of the run."""

    def __init__(self, cluster: Cluster, place: Path, content: bytes | None, run: str = RUN.id) -> None:
        self.store = place / "holdout.csv"
        self.folder = RunFolder.create(place / "runs", msgspec.structs.replace(RUN, id=run))
        if content is not None:
            self.store.write_bytes(content)
        self.said: list[str] = []
        self._cases = RecordedCases(CasesRecord(cluster, "lab"))

    def cases(self) -> Path:
        return self._cases.of(self.folder, self.store, self.said.append)


def test_a_machine_without_models_sends_what_the_one_sent_that_began(api: tuple[ApiServer, Cluster], tmp_path: Path) -> None:
    _, cluster = api
    first, second = Machine(cluster, tmp_path / "a", CASES), Machine(cluster, tmp_path / "b", None)

    assert first.cases() == first.store
    assert second.cases() == second.folder.path / "cases.csv"
    assert second.cases().read_bytes() == CASES
    assert first.said == second.said == []


def test_a_machine_that_trained_other_models_goes_on_with_the_runs_own(api: tuple[ApiServer, Cluster], tmp_path: Path) -> None:
    _, cluster = api
    first, second = Machine(cluster, tmp_path / "a", CASES), Machine(cluster, tmp_path / "b", OTHERS)
    first.cases()

    assert second.cases().read_bytes() == CASES
    assert first.cases() == first.store


def test_another_run_has_its_own_machines_cases(api: tuple[ApiServer, Cluster], tmp_path: Path) -> None:
    _, cluster = api
    Machine(cluster, tmp_path / "a", CASES).cases()
    other = Machine(cluster, tmp_path / "b", OTHERS, run="another")

    assert other.cases() == other.store
    assert Machine(cluster, tmp_path / "c", None, run="another").cases().read_bytes() == OTHERS


def test_where_only_an_older_runs_are_known_that_is_said(api: tuple[ApiServer, Cluster], tmp_path: Path) -> None:
    _, cluster = api
    Machine(cluster, tmp_path / "a", CASES).cases()
    other = Machine(cluster, tmp_path / "b", None, run="another")

    assert other.cases().read_bytes() == CASES
    assert other.said == [f"this run's own cases are not known here; its users send those of {RUN.id}"]


def test_those_that_are_too_large_for_the_cluster_are_told_of(api: tuple[ApiServer, Cluster], tmp_path: Path) -> None:
    server, cluster = api
    first = Machine(cluster, tmp_path / "a", random.Random(1).randbytes(1_000_000))

    assert first.cases() == first.store
    assert "too large to be kept" in first.said[0]
    assert server.objects == {}


def test_damaged_ones_are_refused_with_the_way_to_forget_them(api: tuple[ApiServer, Cluster], tmp_path: Path) -> None:
    server, cluster = api
    machine = Machine(cluster, tmp_path / "a", CASES)
    machine.cases()
    server.objects[f"/api/v1/namespaces/lab/configmaps/{NAME}"]["binaryData"] = {"holdout.csv.gz": "AAAA"}

    with pytest.raises(StoreRefused, match=f"kubectl delete configmap {NAME}"):
        machine.cases()
