"""What tests of several parts share: a model store that is trained once, and an eye on what they leave running."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import psutil
import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings

from tests import postgresql
from tests.e2e.seed import SEED

if TYPE_CHECKING:
    from tests.cluster.lab import ClusterLab

# a machine may be busy: an example that is slow there is no counterexample
settings.register_profile("lab", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("lab")


def pytest_report_header() -> str:
    """Some steps are tried by turns."""
    return f"seed of the steps that are tried: {SEED} (LAB_TEST_SEED)"


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model store with all five versions and the holdout, trained as a person would. Only to be read: all tests share it."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return trained(tmp_path_factory.mktemp("store"))
    # the first of the processes that share the tests trains for all of them
    directory = tmp_path_factory.getbasetemp().parent / "store"
    with FileLock(directory.with_suffix(".lock")):
        return directory if (directory / "training.log").exists() else trained(directory)


def trained(directory: Path) -> Path:
    """All five versions; `training.log`, which is written last, is what was said."""
    command = [sys.executable, "-m", "app.training", "--store", str(directory)]
    environment = {**os.environ, "PYTHONHASHSEED": "1"}
    # side by side, as training v2-slow is mostly waiting; a store may well have two writers
    waiting = subprocess.Popen([*command, "v2-slow"], env=environment, stdout=subprocess.PIPE, text=True)
    try:
        others = subprocess.run(
            [*command, "v1", "v2", "v2-broken", "v2-wrong"], env=environment, stdout=subprocess.PIPE, text=True, check=True, timeout=120
        )
        slow, _ = waiting.communicate(timeout=120)
    finally:
        waiting.kill()
        waiting.wait()
    assert waiting.returncode == 0
    (directory / "training.log").write_text(others.stdout + slow)
    return directory


@pytest.fixture
def nothing_left_running() -> Iterator[None]:
    """Fails a test after which a process that it started still runs, and kills that process."""
    before = set(psutil.Process().children(recursive=True))
    yield
    left = []
    for child in set(psutil.Process().children(recursive=True)) - before:
        with suppress(psutil.NoSuchProcess):
            if child.status() != psutil.STATUS_ZOMBIE:
                left.append(" ".join(child.cmdline()))
                child.kill()
    assert left == []


def missing(what: str) -> NoReturn:
    """Leave a test out for want of a program; where everything is to be tried (CI) that is a failure and never silence."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[postgresql.Server]:
    """A real PostgreSQL server, where its programs are installed."""
    if not (postgresql.program("postgres") and postgresql.program("initdb")):
        missing("PostgreSQL's server is not installed here: install Debian's package postgresql")
    with postgresql.running() as server:
        yield server


@pytest.fixture(scope="session")
def cluster_lab(tmp_path_factory: pytest.TempPathFactory, store: Path) -> "Iterator[ClusterLab]":
    """A lab on a kind cluster, one for all tests that need one; with LAB_KEEP_CLUSTER=1 it stays, and the next run goes on with it."""
    from tests.cluster.lab import ClusterLab  # noqa: PLC0415  tests without a cluster need not wait for its client

    lab, kept = ClusterLab(tmp_path_factory.mktemp("cluster"), store), bool(os.environ.get("LAB_KEEP_CLUSTER"))
    if not kept:
        lab.end()
    try:
        lab.up()
        yield lab
    finally:
        if not kept:
            lab.end()
    assert kept or lab.containers() == []


@pytest.fixture(params=["sqlite", "postgresql"])
def log_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a prediction log can be kept: each of the two databases, empty."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/predictions.db"
    server: postgresql.Server = request.getfixturevalue("postgresql_server")
    return server.new_database()
