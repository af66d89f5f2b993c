"""Starting, recognising and stopping processes.

A process is started behind a gate: a shell that waits for one line on its stdin and then becomes the program. The line
is sent after the process is named in the state file; if labctl is killed in between, the shell reads the end of the
file and goes away. So nothing ever runs that the state file does not name.
"""

import os
import signal
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from platforms.local.state import Process
from strategies.errors import NotReady, ToolFailed
from strategies.waiting import Clock, wait_until

STOP_GRACE = 15.0
"""Seconds from SIGTERM to SIGKILL: more than a replica's drain and the route timeout together."""
_GATE = 'read -r go && exec "$@"'


def start(
    name: str, command: Sequence[str], *, log: Path, record: Callable[[Process], None], environment: Mapping[str, str] | None = None
) -> Process:
    """Start `command` in a session of its own (a terminal's Ctrl-C is not for it), its output appended to `log`.

    `record` writes the process down; the program begins only after it returned.

    Raises:
        ToolFailed: it could not be started.
    """
    read_end, write_end = os.pipe()
    try:
        pid = os.posix_spawn(
            "/bin/sh",
            ["sh", "-c", _GATE, name, *command],
            {**os.environ, **(environment or {})},
            file_actions=[
                (os.POSIX_SPAWN_DUP2, read_end, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )
        process = named(name, pid, log)
        record(process)
        os.write(write_end, b"go\n")
    except OSError as error:
        raise ToolFailed(f"{name} could not be started ({error})", tuple(command)) from error
    finally:
        os.close(read_end)
        os.close(write_end)
    return process


def named(name: str, pid: int, log: Path) -> Process:
    """The process as the state file names it.

    Raises:
        ToolFailed: it has ended already.
    """
    try:
        return Process(name=name, pid=pid, started=_started(psutil.Process(pid)), log=str(log))
    except psutil.Error as error:
        raise ToolFailed(f"{name} ended at once; what it said is in {log}") from error


def alive(process: Process) -> bool:
    """Whether this very process still runs: same pid, same start time, not a zombie."""
    with suppress(ChildProcessError):
        os.waitpid(process.pid, os.WNOHANG)
    try:
        found = psutil.Process(process.pid)
        return abs(_started(found) - process.started) < 1.0 and found.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def stop(processes: Sequence[Process], *, clock: Clock, grace: float) -> tuple[str, ...]:
    """SIGTERM to all, SIGKILL to those that are there after `grace` seconds; returns the names of the killed."""
    _signal(processes, signal.SIGTERM)
    try:
        wait_until(lambda: not any(map(alive, processes)), timeout=grace, clock=clock, reason=lambda: "")
    except NotReady:
        killed = [process for process in processes if alive(process)]
        _signal(killed, signal.SIGKILL)
        wait_until(lambda: not any(map(alive, killed)), timeout=grace, clock=clock, reason=lambda: f"{killed} survive SIGKILL")
        return tuple(process.name for process in killed)
    return ()


def last_words(process: Process, lines: int = 1) -> str:
    """The last lines that the process wrote."""
    try:
        with Path(process.log).open(errors="replace") as file:
            return "\n".join(deque((line.rstrip() for line in file if line.strip()), maxlen=lines))
    except OSError:
        return ""


def _started(process: psutil.Process) -> float:
    """When it started, by a clock that nobody sets.

    Linux counts from the boot, and psutil adds a boot time that moves with the wall clock. It is taken off again, else every
    process would be somebody else after the clock was set.
    """
    return process.create_time() - (psutil.boot_time() if psutil.LINUX else 0.0)


def _signal(processes: Sequence[Process], number: signal.Signals) -> None:
    for process in processes:
        if alive(process):
            with suppress(ProcessLookupError):
                os.kill(process.pid, number)
