"""What the contract asks of a platform beside its verbs, and the platforms there are.

A platform joins the contract by an entry in `BACKENDS`.
"""

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

import pytest

from cli.clock import SystemClock
from platforms.local import lab as local
from platforms.local import processes
from platforms.local.platform import LocalPlatform
from platforms.local.state import Lab, StateFile
from strategies.platform import Platform
from strategies.traffic import Slot
from strategies.waiting import Clock

TIMEOUT = 15.0
"""Seconds in which a verb must have come true; a replica starts in one, on a busy machine in some."""
TAMPERED = "v2-tampered"
"""A version whose model is not the file that its card tells of."""


class Backend(Protocol):
    """A lab on a platform, and what a test may do to it that a rollout may not."""

    url: str
    """The gateway's."""
    noticed: float
    """Seconds within which the proxy no longer sends anybody to a replica that was killed."""

    def connect(self, clock: Clock | None = None) -> Platform:
        """The platform as a labctl that was just started sees it."""

    def replicas(self, slot: Slot) -> frozenset[str]:
        """Names of what runs in `slot`; a replica that was started anew has another name."""

    def kill(self, slot: Slot) -> None:
        """Kill one living replica of `slot` with SIGKILL, if there is one. A platform may start another in its place, and not at once."""

    def clear(self, slot: Slot) -> None:
        """End at once whatever runs in `slot`; only what the platform itself knows of it may be left."""

    def slowed(self, seconds: float) -> AbstractContextManager[None]:
        """Replicas that are deployed inside of the block take so long for each prediction, and none for probes."""


class LocalBackend:
    """Processes of this machine."""

    noticed = 2.0

    def __init__(self, folder: Path, lab: Lab) -> None:
        self.url = f"http://127.0.0.1:{lab.gateway_port}"
        self._folder = folder

    def connect(self, clock: Clock | None = None) -> LocalPlatform:
        """See `Backend`."""
        return LocalPlatform(self._folder, clock=clock or SystemClock(), timeout=TIMEOUT)

    def replicas(self, slot: Slot) -> frozenset[str]:
        """See `Backend`."""
        return frozenset(f"{replica.process.pid} {replica.process.started}" for replica in self._lab().in_slot(slot))

    def kill(self, slot: Slot) -> None:
        """See `Backend`."""
        living = [replica.process.pid for replica in self._lab().in_slot(slot) if processes.alive(replica.process)]
        for pid in living[:1]:
            os.kill(pid, signal.SIGKILL)

    def clear(self, slot: Slot) -> None:
        """See `Backend`."""
        for _ in self.replicas(slot):
            self.kill(slot)

    @contextmanager
    def slowed(self, seconds: float) -> Iterator[None]:
        """See `Backend`. Replicas inherit this process' environment."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MODEL_API_LATENCY_SECONDS", str(seconds))
            yield

    def _lab(self) -> Lab:
        lab = StateFile(self._folder).read()
        assert lab is not None
        return lab


@contextmanager
def local_backend(request: pytest.FixtureRequest, folder: Path) -> Iterator[LocalBackend]:
    """A local lab, ended also if a test fails."""
    store = with_a_tampered_version(request.getfixturevalue("store"), folder / "store")
    lab = local.start(folder, store=store, port=0, clock=SystemClock(), timeout=TIMEOUT, say=print)
    try:
        yield LocalBackend(folder, lab)
    finally:
        local.stop(folder, clock=SystemClock())


@contextmanager
def kind_backend(request: pytest.FixtureRequest, folder: Path) -> Iterator[Backend]:
    """The lab on the cluster that all tests share."""
    from tests.contract.cluster_backend import cluster_backend  # noqa: PLC0415  tests without a cluster need not wait for its client

    lab = request.getfixturevalue("cluster_lab")
    with cluster_backend(lab, with_a_tampered_version(lab.store, folder / "store")) as backend:
        yield backend


Start = Callable[[pytest.FixtureRequest, Path], AbstractContextManager[Backend]]

BACKENDS: dict[str, Start] = {"local": local_backend, "kind": kind_backend}
"""By name: from the test's fixtures and an empty folder to a lab."""


def with_a_tampered_version(store: Path, copy: Path) -> Path:
    """A copy of the good versions of a store, with `TAMPERED` beside them."""
    for version in ("v1", "v2"):
        shutil.copytree(store / version, copy / version)
    shutil.copytree(store / "v2", copy / TAMPERED)
    with (copy / TAMPERED / "model.joblib").open("ab") as model:
        model.write(b"one more byte")
    return copy
