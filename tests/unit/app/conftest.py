"""The versions of the store, and replicas as real processes."""

import uuid
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from app.api import create_app
from app.faults import Faults
from app.model import Model
from app.predictions.shown import Shown
from app.signature import Drain
from app.store import load
from tests.unit.app.client import Client
from tests.unit.app.replica import Replica
from tests.unit.app.s3_server import S3Server

ClientFactory = Callable[..., Client]
ReplicaFactory = Callable[..., Replica]
Loaded = Callable[[str], Model]


@pytest.fixture(scope="session")
def loaded(store: Path) -> Loaded:
    """Each version, loaded at most once."""
    return cache(lambda version: load(store, version))


@pytest.fixture
def client(loaded: Loaded) -> ClientFactory:
    """A client of the API in this process, by version; `database` is a URL, and `create_app` tells of the other options."""

    def make(
        version: str = "v2",
        *,
        drain: Drain | None = None,
        faults: Faults | None = None,
        max_body_bytes: int = 65536,
        database: str = "",
        **others: Any,
    ) -> Client:
        app = create_app(
            loaded(version),
            slot="green",
            drain=drain or Drain(),
            faults=faults or Faults(),
            max_body_bytes=max_body_bytes,
            shown=Shown(database) if database else None,
            **others,
        )
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


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A real S3 server, for all tests that want one; each makes a bucket of its own."""
    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def bucket(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a new bucket; the environment leads to its server."""
    url = f"s3://models-{uuid.uuid4().hex[:12]}"
    s3_server.new_bucket(url, monkeypatch)
    return url
