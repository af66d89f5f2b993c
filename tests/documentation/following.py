"""Following a page: its blocks in order in a fresh folder, those that keep their terminal beside the others, and all ended afterwards."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from tests.documentation.blocks import KEEPS, PROJECT, Block

READY_SECONDS = 90.0
BLOCK_SECONDS = 400.0
END_SECONDS = 60.0


@contextmanager
def reader(folder: Path, store: Path) -> Iterator["Reader"]:
    """Somebody in a fresh folder with the five versions trained; what they started has ended afterwards, whatever happened."""
    shutil.copytree(store, folder / "models")
    reading = Reader(folder)
    try:
        yield reading
    finally:
        reading.end()
    assert reading.left() == []


class Reader:
    """One folder, one lab, and the terminals that are kept open in it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # `labctl` as the reader types it, and the code that is being tested
        programs = str(Path(sys.executable).parent)
        self.environment = {
            **os.environ,
            "PATH": os.pathsep.join([programs, os.environ["PATH"]]),
            "PYTHONPATH": str(PROJECT),
            "LAB_HOME": str(folder / ".lab"),
            "LAB_RUNS": str(folder / "runs"),
            "NO_COLOR": "1",
        }
        self.environment.pop("LAB_STORE", None)
        self._kept: list[subprocess.Popen[bytes]] = []

    def follow(self, page: Collection[Block], titles: Collection[str]) -> int:
        """Do what the blocks with one of `titles` say, in order; how many they were."""
        done = [block for block in page if block.title in titles]
        for block in done:
            if block.title == KEEPS:
                self._keep(block)
            else:
                self._run(block)
        return len(done)

    def end(self) -> None:
        """Press Ctrl-C in each terminal, and end the lab."""
        for process in self._kept:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGINT)
        for process in self._kept:
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if not (self._folder / ".lab").exists():
            return
        subprocess.run(["labctl", "down"], env=self.environment, cwd=self._folder, capture_output=True, check=False, timeout=END_SECONDS)

    def left(self) -> list[str]:
        """What still runs of all that was started here; it is killed."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get("LAB_HOME") == self.environment["LAB_HOME"] and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(" ".join(process.cmdline()))
                    process.kill()
        return found

    def _run(self, block: Block) -> None:
        log = self._folder / "block.log"
        with log.open("wb") as output:
            # a file and not a pipe: what a block leaves running must not keep us waiting for its end
            process = subprocess.Popen(
                ["bash", "-e", "-o", "pipefail", "-c", block.script],
                cwd=self._folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
            try:
                code = process.wait(BLOCK_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                code = process.wait()
        assert code == 0, f"{block.page}: exit code {code} of\n{block.text}\n{log.read_text(errors='replace')[-4000:]}"

    def _keep(self, block: Block) -> None:
        [command] = block.commands
        log = self._folder / f"terminal-{len(self._kept)}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {command}"],
                cwd=self._folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._kept.append(process)
        serves = "serve " in command or "dashboard" in command
        deadline = time.monotonic() + READY_SECONDS
        while not (_listens(process.pid) if serves else log.stat().st_size):
            assert process.poll() is None, f"{command} ended with {process.returncode}: {log.read_text(errors='replace')}"
            assert time.monotonic() < deadline, f"{command} is not ready after {READY_SECONDS:g} s: {log.read_text(errors='replace')}"
            time.sleep(0.1)


def _listens(pid: int) -> bool:
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
        return any(connection.status == psutil.CONN_LISTEN for one in family for connection in one.net_connections("tcp"))
    return False
