"""A store with every version, trained once, and replicas as real processes."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from app.api import create_app
from app.faults import Faults
from app.model import Model
from app.signature import Drain
from app.store import load
from tests.unit.app.client import Client
from tests.unit.app.replica import Replica

ClientFactory = Callable[..., Client]
ReplicaFactory = Callable[..., Replica]


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All five versions of the default seed, trained as a person would."""
    directory = tmp_path_factory.mktemp("store")
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


@pytest.fixture(scope="session")
def loaded(store: Path) -> Callable[[str], Model]:
    """Each version, loaded at most once."""
    return cache(lambda version: load(store, version))


@pytest.fixture
def client(loaded: Callable[[str], Model]) -> ClientFactory:
    """A client of the API in this process, by version; see `create_app` for the options."""

    def make(version: str = "v2", *, drain: Drain | None = None, faults: Faults | None = None, max_body_bytes: int = 65536) -> Client:
        app = create_app(loaded(version), slot="green", drain=drain or Drain(), faults=faults or Faults(), max_body_bytes=max_body_bytes)
        return Client(app)

    return make


@pytest.fixture
def replica(store: Path, tmp_path: Path) -> Iterator[ReplicaFactory]:
    """Starts replicas as processes, waits until each is ready, and ends those that a test leaves running."""
    started: list[Replica] = []

    def start(version: str = "v2", **settings: str) -> Replica:
        started.append(Replica(store, version, tmp_path / f"replica-{len(started)}.log", settings))
        started[-1].wait_until_ready()
        return started[-1]

    yield start
    for one in started:
        one.end()
