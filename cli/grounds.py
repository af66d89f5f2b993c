"""Where the rollouts of a comparison happen: here each has a lab of its own; on a cluster all have the same, put back before each."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Protocol

from cli.clock import SystemClock
from cli.common_options import Where
from cli.labs import Serving, lab_on
from cli.lock import exclusive
from cli.performing import FIRST_VERSION
from cli.platforms import LOCAL, Chosen
from cli.settings import settings
from platforms.local.state import StateFile
from strategies.errors import CouldNotRun, UsageError


class Ground(Protocol):
    """A place for one rollout after the other, each of which begins with `FIRST_VERSION`.

    Attributes:
        name: of the platform.
        words: what each `labctl` is told of it.
        environment: what each `labctl` has.
    """

    name: str
    words: tuple[str, ...]
    environment: Mapping[str, str]

    def prepare(self, log: IO[str]) -> None:
        """Have everything as a rollout is to find it; `log` takes what programs say.

        Raises:
            LabError: it cannot be had, or somebody else uses the place.
        """

    def clear(self, log: IO[str]) -> None:
        """Take away what a rollout has left."""


class OwnLabs:
    """Implements `Ground` on this machine: a rollout without a lab starts one, which ends with it."""

    name = LOCAL
    words: tuple[str, ...] = ()

    def __init__(self, folder: Path) -> None:
        self._home = folder / "lab"
        self.environment: Mapping[str, str] = {**os.environ, "LAB_HOME": str(self._home), "LAB_RUNS": str(folder / "runs")}

    def prepare(self, log: IO[str]) -> None:  # noqa: ARG002  nothing is started
        """See `Ground`. A comparison that was killed may have left its rollout behind, which is to be told of at once."""
        with exclusive(self._home, "labctl compare"):
            pass

    def clear(self, log: IO[str]) -> None:
        """See `Ground`. A lab that outlived its rollout would be the next one's too, and not of its own any more."""
        if StateFile(self._home).read():
            subprocess.run([sys.executable, "-m", "cli", "down"], env=self.environment, stdout=log, stderr=log, check=False)


class OneLab:
    """Implements `Ground` on a cluster, whose lab stays: what a rollout promoted is taken back before the next one."""

    def __init__(self, chosen: Chosen, where: Where, folder: Path, *, replicas: int, clock: SystemClock) -> None:
        self.name = chosen.name
        self._chosen = chosen
        self._clock = clock
        self._replicas = replicas
        given = {"platform": chosen.name, "context": where.context, "namespace": where.namespace}
        self.words: tuple[str, ...] = tuple(word for name, value in given.items() if value for word in (f"--{name}", value))
        self.environment: Mapping[str, str] = {**os.environ, "LAB_RUNS": str(folder / "runs")}

    def prepare(self, log: IO[str]) -> None:
        """See `Ground`."""
        found = self._serving()
        if found.version != FIRST_VERSION:
            subprocess.run([sys.executable, "-m", "cli", "undo", *self.words], env=self.environment, stdout=log, stderr=log, check=False)
            found = self._serving()
        if found.version != FIRST_VERSION:
            raise CouldNotRun(
                f"a comparison begins with {FIRST_VERSION}, and the lab serves {found.version}, which no run of this comparison promoted; "
                f"`labctl undo`, or `labctl rollout recreate --to {FIRST_VERSION}`, or `labctl down` and `labctl up`"
            )
        if found.replicas != self._replicas:
            raise UsageError(
                f"the lab serves with {found.replicas} replicas, and --replicas is {self._replicas}; "
                f"`labctl up --replicas {self._replicas}` starts a new one so, or compare with --replicas {found.replicas}"
            )

    def clear(self, log: IO[str]) -> None:
        """See `Ground`. Whatever a rollout left behind, the next command ends."""

    def _serving(self) -> Serving:
        lab = lab_on(self._chosen, settings(), self._clock)
        # also in order to be refused at once while somebody else changes it
        with lab.exclusive("labctl compare"):
            found = lab.serving()
        if found is None:
            raise CouldNotRun(f"there is no lab to compare on; `labctl up --platform {self._chosen.name}` makes one")
        return found


def ground(where: Where, folder: Path, *, replicas: int, clock: SystemClock) -> Ground:
    """The place that a person means, for a comparison whose runs are in `folder`.

    Raises:
        UsageError: there is no such platform, or its settings make no sense.
    """
    chosen = where.chosen()
    return OneLab(chosen, where, folder, replicas=replicas, clock=clock) if chosen.kubernetes else OwnLabs(folder)
