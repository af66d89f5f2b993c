"""A real PostgreSQL server that only this machine's tests reach, over a socket in a folder of its own."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import psycopg

DEADLINE = 60.0


def program(name: str) -> str | None:
    """Where a program of the server is; Debian keeps them off the PATH."""
    return shutil.which(name) or next((str(path) for path in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))), None)


class Server:
    """Run by `running`; `away` is for tests of what happens without it."""

    def __init__(self, folder: Path, user: str | None) -> None:
        self._folder = folder
        self._user = user
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = 0

    def url(self, database: str = "postgres") -> str:
        return f"postgresql:///{database}?host={self._folder}&user=postgres"

    def new_database(self, encoding: str = "UTF8") -> str:
        """The URL of an empty database."""
        self._databases += 1
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE test{self._databases} ENCODING '{encoding}' TEMPLATE template0".encode())
        return self.url(f"test{self._databases}")

    def start(self) -> None:
        """Return once it answers."""
        options = ["-c", "listen_addresses=", "-c", "fsync=off", "-c", f"unix_socket_directories={self._folder}"]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(program("postgres")), "-D", str(self._folder / "data"), *options],
                cwd=self._folder,
                stdout=log,
                stderr=log,
                user=self._user,
            )
        deadline = time.monotonic() + DEADLINE
        while True:
            try:
                psycopg.connect(self.url()).close()
            except psycopg.OperationalError:
                assert time.monotonic() < deadline, (self._folder / "log").read_text()
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        """End it at once, whoever is connected."""
        if self._process:
            # SIGQUIT: without waiting for anybody, and repaired at the next start; SIGKILL would leave its children
            self._process.send_signal(3)
            self._process.wait(DEADLINE)
            self._process = None

    @contextmanager
    def away(self) -> Iterator[None]:
        """Nobody answers while the block lasts; whoever was connected is so no more. Afterwards everything is there again."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Nobody is answered while the block lasts, and nobody is told so."""
        assert self._process
        one = psutil.Process(self._process.pid)
        # first of all, so that it makes no more of them
        one.suspend()
        everybody = [one, *one.children(recursive=True)]
        try:
            for process in everybody[1:]:
                _signal(process.suspend)
            yield
        finally:
            for process in everybody:
                _signal(process.resume)


def _signal(send: Callable[[], None]) -> None:
    # a connection's process may have ended by then
    with suppress(psutil.NoSuchProcess):
        send()


@contextmanager
def running() -> Iterator[Server]:
    """A new server; nothing of it is left."""
    # it refuses to be root, so root's tests lend it to the user whom its package makes
    user = "postgres" if os.getuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="pg", dir="/tmp") as name:
        folder = Path(name)
        if user:
            os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
        command = [str(program("initdb")), "-D", name + "/data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C"]
        subprocess.run(command, check=True, cwd=folder, user=user, stdout=subprocess.DEVNULL)
        server = Server(folder, user)
        try:
            server.start()
            yield server
        finally:
            server.stop()
