"""A real PostgreSQL server on loopback, of a cluster that is made for the tests and thrown away."""

import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg

from tests.conftest import missing
from tests.unit.app.ports import free_port

DEADLINE = 60.0


def programs() -> Path | None:
    """Where initdb and postgres are: on PATH, or where Debian puts them; None if there are none."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    by_version = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(re.sub(r"\D", "", path.parts[-3]) or 0))
    return by_version[-1].parent if by_version else None


class PostgresServer:
    """The server as a process.

    Attributes:
        url: of its database, with a user who may do everything in it.
    """

    def __init__(self) -> None:
        binaries = programs()
        if binaries is None:
            missing("there is no PostgreSQL on this machine: install Debian's package postgresql")
        # not below pytest's folder: another user than root, whose folder that is, has to reach it; and a socket's path is short
        self._folder = Path(tempfile.mkdtemp(prefix="lab-pg-"))
        self._user: str | None = None
        if os.geteuid() == 0:
            # PostgreSQL refuses to run as root
            self._user = "postgres" if any(user.pw_name == "postgres" for user in pwd.getpwall()) else "nobody"
            shutil.chown(self._folder, self._user)
        port = free_port()
        data = self._folder / "data"
        self._run(binaries / "initdb", "--pgdata", str(data), "--username", "lab", "--auth", "trust", "--no-sync", "--encoding", "UTF8")
        self._log = (self._folder / "log").open("wb")
        options = ["-p", str(port), "-h", "127.0.0.1", "-k", str(self._folder), "-c", "fsync=off"]
        self.process = subprocess.Popen(
            [str(binaries / "postgres"), "-D", str(data), *options], user=self._user, cwd=self._folder, stdout=self._log, stderr=self._log
        )
        self.url = f"postgresql://lab@127.0.0.1:{port}/postgres"

    def _run(self, *command: str | Path) -> None:
        done = subprocess.run(command, user=self._user, cwd=self._folder, capture_output=True, text=True, timeout=DEADLINE, check=False)
        assert done.returncode == 0, done.stderr

    def wait_until_ready(self) -> None:
        """Return once it lets somebody in."""
        deadline = time.monotonic() + DEADLINE
        while True:
            try:
                psycopg.connect(self.url).close()
            except psycopg.OperationalError:
                assert self.process.poll() is None, (self._folder / "log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.05)
            else:
                return

    def end(self) -> None:
        """End it at once and remove what it wrote."""
        # PostgreSQL's fast shutdown: SIGTERM would wait for clients
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._log.close()
        shutil.rmtree(self._folder, ignore_errors=True)
