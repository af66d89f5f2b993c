"""A real S3 server on loopback.

versitygw, which is the one of the lab's chart, where it is on PATH. Elsewhere the server of moto, which speaks the same protocol and is a
package like any other, so that `make test` needs nothing else. In CI that would be a failure: there the lab's own is to be tried.
"""

import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
import pytest

from app.stores.opening import open_store
from tests.conftest import missing
from tests.ports import free_port

DEADLINE = 60.0


class S3Server:
    """The server as a process.

    Attributes:
        environment: the AWS_ variables that lead to it.
    """

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.environment = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": "lab",
            "AWS_SECRET_ACCESS_KEY": "lab-secret",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        (folder / "buckets").mkdir()
        self._log = folder / "server.log"
        gateway = shutil.which("versitygw")
        if gateway is None and os.environ.get("CI"):
            missing("versitygw is not on PATH: `go install github.com/versity/versitygw/cmd/versitygw` makes it")
        if gateway:
            command = [
                gateway,
                "--access",
                "lab",
                "--secret",
                "lab-secret",
                "--port",
                f"127.0.0.1:{port}",
                "posix",
                str(folder / "buckets"),
            ]
        else:
            command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(command, env={**os.environ, **self.environment}, stdout=log, stderr=log)

    def __enter__(self) -> Self:
        try:
            self.wait_until_ready()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.end()

    def new_bucket(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Make a bucket; the environment leads to this server."""
        for name, value in self.environment.items():
            monkeypatch.setenv(name, value)
        files, path = open_store(url)
        files.mkdir(path)

    def wait_until_ready(self) -> None:
        """Return once it answers, whatever it answers."""
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline and self.process.poll() is None:
            with suppress(httpx.TransportError):
                httpx.get(self.environment["AWS_ENDPOINT_URL"], timeout=DEADLINE, trust_env=False)
                return
            time.sleep(0.05)
        raise AssertionError(f"the S3 server did not become ready: {self._log.read_text()}")

    def end(self) -> None:
        """Kill it."""
        self.process.kill()
        self.process.wait(DEADLINE)
