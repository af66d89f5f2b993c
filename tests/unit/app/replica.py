"""A replica as a real process."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import httpx

DEADLINE = 60.0


class Replica:
    """`python -m app.server` on a free port.

    Attributes:
        process: the server; `log` is the file of its stderr.
        url: where it listens; known once it is ready.
    """

    def __init__(self, store: Path, version: str, log: Path, settings: dict[str, str]) -> None:
        self.log = log
        self.url = ""
        variables = {"STORE": str(store), "VERSION": version, "PORT": "0", **{name.upper(): value for name, value in settings.items()}}
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MODEL_API_")}
        with log.open("wb") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "app.server"],
                env={**environment, **{f"MODEL_API_{name}": value for name, value in variables.items()}},
                stderr=stderr,
            )

    def wait_until_ready(self) -> None:
        """Return once /readyz says so; the log is the reason if it never does."""
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline and self.process.poll() is None:
            if found := re.search(r"listens on (http://\S+)\n", self.log.read_text()):
                self.url = found[1]
                if httpx.get(f"{self.url}/readyz", timeout=DEADLINE).status_code == 200:
                    return
            time.sleep(0.02)
        raise AssertionError(f"the replica did not become ready: {self.log.read_text()}")

    def end(self) -> None:
        """Kill it, if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(DEADLINE)
