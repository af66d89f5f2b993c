"""Programs of the model API that a comparison starts: none outlives it, whether it is interrupted or killed."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from cli.clock import SystemClock
from platforms.ending import end
from strategies.errors import ToolFailed

LOOK_SECONDS = 0.1
CLOSE_LOOK_SECONDS = 0.02
STOP_SECONDS = 15.0


def run(program: Sequence[str], environment: Mapping[str, str], clock: SystemClock, *, look: Callable[[int], None] | None = None) -> str:
    """Run `python -m program` to its end; what it prints.

    Args:
        program: a module and its arguments.
        environment: what it is told besides our own environment.
        clock: whose interruptions end it.
        look: called with its process id again and again while it runs, every `CLOSE_LOOK_SECONDS`.

    Raises:
        ToolFailed: it failed; `stderr` is its sentence.
        Interrupted: somebody asked for an end; the program has ended.
    """
    command = (sys.executable, "-m", *program)
    # a session of its own: a terminal's Ctrl-C is for us, and we end it
    process = subprocess.Popen(
        command, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        while True:
            try:
                output, said = process.communicate(timeout=CLOSE_LOOK_SECONDS if look else LOOK_SECONDS)
                break
            except subprocess.TimeoutExpired:
                clock.sleep(0)
                if look:
                    look(process.pid)
    finally:
        # it has ended already, unless something was raised
        process.kill()
        process.communicate()
    if process.returncode:
        raise ToolFailed(f"{program[0]} failed with exit code {process.returncode}", command, said)
    return output


@contextmanager
def running(program: Sequence[str], environment: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[str]]:
    """`python -m program` while the body runs. Its stdin is a pipe that ends with us; what it says on stderr is appended to `log`."""
    with log.open("a") as said:
        process = subprocess.Popen(
            (sys.executable, "-m", *program),
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        end(process, STOP_SECONDS)
        for pipe in (process.stdin, process.stdout):
            _close(pipe)


def tell(process: subprocess.Popen[str], line: str = "") -> str:
    """Write a line to a program of `running`, and return the one that it answers; empty if it has ended."""
    try:
        if process.stdin:
            process.stdin.write(f"{line}\n")
            process.stdin.flush()
    except BrokenPipeError:
        return ""
    return heard(process)


def heard(process: subprocess.Popen[str]) -> str:
    """The next line of a program of `running`; empty if it has ended."""
    return process.stdout.readline() if process.stdout else ""


def _close(pipe: IO[str] | None) -> None:
    if pipe:
        # what nobody has read any more
        with suppress(BrokenPipeError):
            pipe.close()
