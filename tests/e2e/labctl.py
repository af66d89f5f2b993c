"""`labctl` as a person runs it: its own process, folders of its own, and nothing left running afterwards."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import msgspec
import psutil

from platforms.local.state import Lab, StateFile
from strategies.events import AnyEvent, StepStarted

QUICK = ("--rate", "150", "--weight", "25", "--hold", "5s", "--baseline", "2s", "--keep", "1s", "--detect", "15")
"""A canary in about ten seconds: more users at a larger share need less time to tell a bad candidate."""
PROGRAM = (sys.executable, "-m", "cli")


class Labctl:
    """Commands in the folders of one test. `store` is the model store."""

    def __init__(self, folder: Path, store: Path) -> None:
        self.home, self.runs, self.store = folder / "lab", folder / "runs", store
        self._earlier: frozenset[Path] = frozenset()
        self.environment = {
            **os.environ,
            "LAB_HOME": str(self.home),
            "LAB_RUNS": str(self.runs),
            "LAB_STORE": str(store),
            "LAB_DATABASE": f"sqlite:///{folder / 'predictions.db'}",
            "NO_COLOR": "1",
        }

    def run(
        self, *arguments: str, timeout: float = 120.0, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [*PROGRAM, *arguments],
            env={**self.environment, **(environment or {})},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def rollout(self, *arguments: str, code: int, timeout: float = 120.0) -> dict[str, Any]:
        """Run a quick canary that must end with `code`; its summary."""
        done = self.run("rollout", "canary", *QUICK, *arguments, "--json", timeout=timeout)
        assert done.returncode == code, f"exit code {done.returncode}, not {code}:\n{done.stdout}\n{done.stderr}"
        summary: dict[str, Any] = json.loads(done.stdout)
        return summary

    @contextmanager
    def started(self, *arguments: str, **options: Any) -> Iterator[subprocess.Popen[str]]:
        """A command that runs while the body does; it is killed at the end if it is still there.

        A rollout that only begins must not be taken for the one before it, so `events` are those of runs begun from here on.
        """
        if arguments[0] == "rollout":
            self._earlier = frozenset(self.runs.glob("*"))
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = subprocess.Popen([*PROGRAM, *arguments], env=self.environment, text=True, start_new_session=True, **{**pipes, **options})
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def lab(self) -> Lab:
        """What the state file says."""
        lab = StateFile(self.home).read()
        assert lab is not None
        return lab

    def events(self) -> list[AnyEvent]:
        """The events of the newest run; a line that is being written is left out."""
        files = sorted(path for path in self.runs.glob("*/events.jsonl") if path.parent not in self._earlier)
        lines = files[-1].read_bytes().split(b"\n")[:-1] if files else []
        return [msgspec.json.decode(line, type=AnyEvent) for line in lines]

    def wait_for(self, what: str, condition: Callable[[], object], timeout: float = 120.0) -> None:
        """Wait for a condition of the newest run."""
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, f"no {what} within {timeout:g} s; events: {self.events()[-5:]}"
            time.sleep(0.02)

    def wait_for_step(self, words: str, timeout: float = 120.0) -> None:
        """Wait until a step whose title begins so has started."""
        self.wait_for(words, lambda: any(isinstance(e, StepStarted) and e.title.startswith(words) for e in self.events()), timeout)

    def answer(self) -> httpx.Response:
        """Who answers at the gateway."""
        return httpx.get(f"http://127.0.0.1:{self.lab().gateway_port}/version", trust_env=False)

    def left_running(self) -> list[str]:
        """All processes that were started for this test's lab, by the environment that they inherited."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get("LAB_HOME") == str(self.home) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(" ".join(process.cmdline()))
        return found

    def end(self) -> None:
        """End what is there, whatever state a test left it in."""
        self.run("down")
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get("LAB_HOME") == str(self.home):
                    process.send_signal(signal.SIGKILL)
