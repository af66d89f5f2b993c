"""Running the cluster's tools: docker, kind, helm, kubectl, istioctl. Their failures in the words of the lab's own tree."""

import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from platforms.ending import end
from strategies.errors import CouldNotRun, NotReady, ToolFailed
from strategies.waiting import Clock, wait_until

TAIL = 6
"""Lines of a tool's stderr that are told."""
GRACE = 10.0
"""Seconds that a tool which is told to end has for it."""
ADVICE = "`labctl doctor --platform kind` says how to get it"


class Tools:
    """Runs programs to their end, and ends them when somebody asks labctl to end. `say` takes lines for the user."""

    def __init__(self, clock: Clock, say: Callable[[str], None]) -> None:
        self.clock = clock
        self.say = say

    def run(self, *command: str, timeout: float, given: str = "", environment: Mapping[str, str] | None = None) -> str:
        """What the command prints on stdout; `given` is its stdin, `environment` is added to ours, `timeout` is in seconds.

        Raises:
            ToolFailed: it is missing, failed, or did not end in time.
            Interrupted: somebody asked labctl to end; the command has been ended.
        """
        out, failed = self._finish(command, timeout, given, environment)
        if failed is not None:
            raise ToolFailed(f"{command[0]} failed", command, failed)
        return out

    def succeeds(self, *command: str, timeout: float = 30.0) -> bool:
        """Whether the command ends with 0: for questions whose other answer is a failure."""
        return self._finish(command, timeout, "", None)[1] is None

    def _finish(
        self, command: tuple[str, ...], timeout: float, given: str, environment: Mapping[str, str] | None
    ) -> tuple[str, str | None]:
        """What it printed, and None if it ended well, else the end of what it complained of."""
        # files and not pipes, which fill up while nobody reads
        with tempfile.TemporaryFile("w+") as stdin, tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            stdin.write(given)
            stdin.seek(0)
            # a session of its own: Ctrl-C reaches labctl alone, which then ends the tool and knows what was left half-done
            process = _start(
                command, stdin=stdin, stdout=out, stderr=err, env={**os.environ, **(environment or {})}, start_new_session=True
            )
            try:
                wait_until(lambda: process.poll() is not None, timeout=timeout, clock=self.clock, reason=lambda: "it did not end")
            except NotReady as error:
                raise ToolFailed(f"{command[0]} did not end within {timeout:g} s", command, _tail(err)) from error
            finally:
                end(process, GRACE)
            # some complain on stdout
            complaint = None if process.returncode == 0 else _tail(err) or _tail(out)
            out.seek(0)
            return out.read(), complaint


def require_project(project: Path) -> None:
    """Refuse to go on without the files that a cluster's lab is made of.

    Raises:
        CouldNotRun: this labctl was installed without them.
    """
    if not (project / "charts" / "lab" / "Chart.yaml").is_file():
        raise CouldNotRun(f"{project} has no charts; on a cluster, use labctl from a clone of the project (`make setup` there)")


def _start(command: tuple[str, ...], **options: Any) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(command, **options)
    except FileNotFoundError as error:
        raise ToolFailed(f"{command[0]} is not on PATH; {ADVICE}", command) from error
    except OSError as error:
        raise ToolFailed(f"{command[0]} cannot be run ({error.strerror}); {ADVICE}", command) from error


def _tail(file: IO[str]) -> str:
    file.seek(0)
    return "\n".join([line for line in file.read().splitlines() if line.strip()][-TAIL:])
