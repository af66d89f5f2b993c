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

    def connect(self, clock: Clock | None = None) -> Platform:
        """The platform as a labctl that was just started sees it."""

    def replicas(self, slot: Slot) -> frozenset[str]:
        """Names of what runs in `slot`; a replica that was started anew has another name."""

    def kill(self, slot: Slot) -> None:
        """Kill one living replica of `slot` with SIGKILL, if there is one."""

    def slowed(self, seconds: float) -> AbstractContextManager[None]:
        """Replicas that are deployed inside of the block take so long for each prediction, and none for probes."""


class LocalBackend:
    """Processes of this machine."""

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
def local_backend(store: Path, folder: Path) -> Iterator[LocalBackend]:
    """A local lab, ended also if a test fails."""
    lab = local.start(
        folder, store=_with_a_tampered_version(store, folder / "store"), port=0, clock=SystemClock(), timeout=TIMEOUT, say=print
    )
    try:
        yield LocalBackend(folder, lab)
    finally:
        local.stop(folder, clock=SystemClock())


BACKENDS: dict[str, Callable[[Path, Path], AbstractContextManager[Backend]]] = {"local": local_backend}
"""By name: from a model store and an empty folder to a lab in which nothing is deployed yet."""


def _with_a_tampered_version(store: Path, copy: Path) -> Path:
    for version in ("v1", "v2"):
        shutil.copytree(store / version, copy / version)
    shutil.copytree(store / "v2", copy / TAMPERED)
    with (copy / TAMPERED / "model.joblib").open("ab") as model:
        model.write(b"one more byte")
    return copy
