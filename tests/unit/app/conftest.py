"""The versions of the store, and replicas as real processes."""

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
Loaded = Callable[[str], Model]


@pytest.fixture(scope="session")
def loaded(store: Path) -> Loaded:
    """Each version, loaded at most once."""
    return cache(lambda version: load(store, version))


@pytest.fixture
def client(loaded: Loaded) -> ClientFactory:
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
