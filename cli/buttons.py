"""What the buttons of a run's page do: what the commands of the same name do, for a rollout of this machine or of another one.

Words go where `labctl pause` leaves them. To end a rollout takes minutes, signals and a lock of its own, so the command
itself is started; it goes on if the page or its server ends meanwhile.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from starlette.concurrency import run_in_threadpool

from cli.clock import SystemClock
from cli.common_options import Where
from cli.labs import lab_on
from cli.onlookers import Onlookers
from cli.settings import Settings
from impact.rundir import RunFolder
from strategies.errors import UsageError
from strategies.steering import Command

ABORT = "abort"
COMMANDS = {
    "pause": "It stays where it is until it is resumed; the candidate is judged on meanwhile.",
    "resume": "It goes on as planned.",
    "promote": (
        "It goes on at once: the rest of this baseline, analysis, hold, gate or pause is not waited for. "
        "An A/B test and a shadow end with what a last look says."
    ),
    ABORT: "It is ended: the traffic goes back to stable at once; after the promotion what is left is completed.",
}
"""What a page may ask for, and what comes of it."""
PATIENCE = 0.0
"""Seconds that a cluster is asked again which does not answer; a page asks again anyway, and says so meanwhile."""
LOOK_EVERY = 0.1


class Steered(Onlookers):
    """The lab at `where`, with the folders `places`: looked on at by pages, and steered by their buttons."""

    def __init__(self, places: Settings, where: Where) -> None:
        super().__init__(lambda: lab_on(where.chosen(), places, SystemClock(), patience=PATIENCE))
        self._environment = {"LAB_HOME": str(places.home), "LAB_RUNS": str(places.runs), "LAB_STORE": str(places.store)}
        self._where = where.typed()

    async def steer(self, name: str, folder: RunFolder) -> str:
        """Do what the command `name` does to the run in `folder`; what there is to say of it.

        Raises:
            UsageError: there is no such command, or nothing for it to do.
            LabError: the lab cannot be asked.
        """
        if name not in COMMANDS:
            raise UsageError(f"{name} is no command; there are {', '.join(COMMANDS)}")
        await run_in_threadpool(self._ask, name, folder.path.resolve())
        return await self._abort() if name == ABORT else f"asked to {name}"

    def _ask(self, name: str, path: Path) -> None:
        """Leave a word; to end a run, only see that it is the one that changes the lab."""
        with self.lab() as lab:
            changing = lab.run()
            # what a dead labctl left behind can only be ended
            alive = name == ABORT or lab.holder() is not None
            if changing is None or changing.path.resolve() != path or not alive:
                raise UsageError(f"{path.name} is not under way, so there is nothing to {name}")
            if name != ABORT:
                lab.ask(Command(name))

    async def _abort(self) -> str:
        with tempfile.TemporaryFile("w+") as said:
            process = _start(("abort", *self._where), self._environment, said)
            # asyncio's own children are killed where it ends
            while process.poll() is None:  # noqa: ASYNC110
                await asyncio.sleep(LOOK_EVERY)
            said.seek(0)
            lines = said.read().split("\n")
        if process.returncode:
            return next(
                (line for line in reversed(lines) if line.startswith("labctl: ")),
                "it could not be ended whole; its report says what is left",
            )
        return "it has ended"


def _start(words: tuple[str, ...], environment: Mapping[str, str], said: IO[str]) -> subprocess.Popen[bytes]:
    # not what lies in the folder that we are in (-P); in a session of its own, where no end of ours ends it
    return subprocess.Popen(
        (sys.executable, "-P", "-m", "cli", *words),
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=said,
        start_new_session=True,
    )
