"""Everything that a comparison of the serving strategies runs: a store, a service, a database, pages and a visitor, in one folder."""

import hashlib
import json
import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import psutil

from cli import child
from cli.clock import SystemClock
from cli.pages import serving as serving_pages
from platforms.ports import free_ports
from strategies.errors import ToolFailed
from strategies.waiting import wait_until

STRATEGIES = ("embedded", "data", "service", "database")
OLD, NEW = "v1", "v2"
READY_SECONDS = 120.0


class Bench:
    """One repeat. `with` it: nothing of it runs afterwards.

    Attributes:
        folder: where all of it is.
        store: the model store.
        database: the file of the predictions.
        pages: where the pages are served, once they are.
        clock: whose interruptions end what runs.
    """

    def __init__(self, folder: Path, clock: SystemClock) -> None:
        self.folder, self.clock = folder, clock
        self.store, self.database = folder / "store", folder / "predictions.db"
        self._config = folder / "model.toml"
        self._port, self._pages_port = free_ports(2)
        self.pages = f"http://127.0.0.1:{self._pages_port}"
        self._running: dict[str, tuple[ExitStack, psutil.Process]] = {}
        self._visitor = ExitStack()
        self._clicking: subprocess.Popen[str] | None = None
        self._artifact = Path()
        self._files = count()

    def __enter__(self) -> "Bench":
        log = self.folder / "visitor.log"
        self._clicking = self._visitor.enter_context(child.running(("app.pages.clicking",), {}, log))
        try:
            self.embed(OLD)
        except BaseException:
            self._visitor.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for name in tuple(self._running):
            self.end(name)
        self._visitor.close()

    def embed(self, version: str) -> int:
        """Make the artifact of a version, for the pages that are started from now on; the bytes of it."""
        done = self.run("app.artifact", "--store", str(self.store), "--version", version, "--to", str(self.folder / "artifacts"))
        self._artifact = Path(done.strip())
        return int(json.loads((self._artifact / "artifact.json").read_bytes())["bytes"])

    def choose(self, version: str) -> int:
        """Name a version in the configuration; the bytes that a start fetches then."""
        where = ("--config", str(self._config), "--store", str(self.store), "--from", str(self.store))
        self.run("app.stores", "use", version, *where)
        return sum(path.stat().st_size for path in (self.store / version).iterdir())

    def predict(self, version: str, observations: Path | None = None, look: Callable[[int], None] | None = None) -> int:
        """Predict a file, or the holdout, into the database; the bytes by which it grew.

        Raises:
            ToolFailed: the batch failed; `stderr` is its sentence.
        """
        before = self._size()
        self.run(*self.batch(version, observations or self.store / "holdout.csv"), look=look)
        return self._size() - before

    def batch(self, version: str, observations: Path) -> tuple[str, ...]:
        """The program that predicts a file into the database."""
        return (
            "app.batch",
            str(observations),
            "--store",
            str(self.store),
            "--version",
            version,
            "--database",
            f"sqlite:///{self.database}",
        )

    def observations(self, name: str, rows: int) -> Path:
        """A file of so many rows that no batch has seen: the cases of the holdout again and again, each file from another one on."""
        header, *cases = (self.store / "holdout.csv").read_text().splitlines()
        first = next(self._files)
        file = self.folder / name
        file.write_text("\n".join([header, *(cases[(first + row) % len(cases)] for row in range(rows))]) + "\n")
        return file

    def written(self, observations: Path, version: str) -> int:
        """How many predictions of a file the database holds."""
        query = "SELECT count(*) FROM predictions WHERE input_digest = ? AND version = ?"
        with closing(sqlite3.connect(self.database)) as connection:
            return int(connection.execute(query, (digest(observations), version)).fetchone()[0])

    def start_service(self) -> None:
        """Start the service, anew if it runs.

        Raises:
            ToolFailed: it ended at once; `stderr` is its sentence.
        """
        self.end("service")
        self._start("service", self._serving())

    def start_pages(self, show: str) -> None:
        """Serve the page of one strategy, or `all`, anew if pages are served."""
        self.end("pages")
        self._start("pages", self._paging(show, self._pages_port))

    @contextmanager
    def other_pages(self) -> Iterator[str]:
        """All pages once more, started now; where they are served."""
        (port,) = free_ports(1)
        with self._paging("all", port):
            yield f"http://127.0.0.1:{port}"

    def end(self, name: str) -> None:
        """End the `service` or the `pages`, if they run."""
        if name in self._running:
            stack, _ = self._running.pop(name)
            stack.close()

    @property
    def serving(self) -> dict[str, psutil.Process]:
        """The processes that serve now: `pages` and `service`. Two are equal if they are the same process and not only of one number."""
        return {name: process for name, (_, process) in self._running.items()}

    def visit(self, strategy: str, *, pages: str = "", alone: bool = True, seconds: float = 0.0, new: bool = False) -> dict[str, Any]:
        """What a visitor of a strategy's page found, as app/pages/clicking.py tells it.

        Raises:
            ToolFailed: the page did not answer; `stderr` is the sentence that it showed.
        """
        told = {"pages": pages or self.pages, "strategy": strategy, "alone": alone, "seconds": seconds, "new": new}
        answer: dict[str, Any] = json.loads((self._clicking and child.tell(self._clicking, json.dumps(told))) or "{}")
        if "version" not in answer:
            raise ToolFailed(f"the page of {strategy} does not answer", stderr=str(answer.get("failed", "the visitor has ended")))
        return answer

    def plain(self, sentence: str) -> str:
        """A sentence without this folder's path, for a table."""
        return sentence.strip().replace(f"{self.folder}/", "./").replace("|", "/")

    def run(self, *program: str, look: Callable[[int], None] | None = None) -> str:
        """A program of the model API, to its end.

        Raises:
            ToolFailed: it failed; `stderr` is its sentence.
        """
        return child.run(program, self._environment(), self.clock, look=look)

    def _environment(self) -> dict[str, str]:
        return {f"MODEL_PAGES_{name}": value for name, value in self._variables().items()}

    def _variables(self) -> Mapping[str, str]:
        return {
            "ARTIFACT": str(self._artifact),
            "STORE": str(self.store),
            "CONFIG": str(self._config),
            "API": f"http://127.0.0.1:{self._port}",
            "DATABASE": f"sqlite:///{self.database}",
        }

    def _size(self) -> int:
        return self.database.stat().st_size if self.database.exists() else 0

    def _start(self, name: str, process: AbstractContextManager["subprocess.Popen[Any]"]) -> None:
        stack = ExitStack()
        self._running[name] = stack, psutil.Process(stack.enter_context(process).pid)

    def _paging(self, show: str, port: int) -> AbstractContextManager["subprocess.Popen[bytes]"]:
        return serving_pages(self._artifact, port, {**self._variables(), "SHOW": show}, self.clock)

    @contextmanager
    def _serving(self) -> Iterator["subprocess.Popen[str]"]:
        log = self.folder / "service.log"
        log.unlink(missing_ok=True)
        variables = {"CONFIG": self._config, "HOST": "127.0.0.1", "PORT": self._port, "DRAIN_SECONDS": 0, "PARENT": os.getpid()}
        with child.running(("app.server",), {f"MODEL_API_{name}": str(value) for name, value in variables.items()}, log) as process:

            def ready() -> bool:
                if process.poll() is not None:
                    raise ToolFailed("the service ended at once", stderr=log.read_text())
                try:
                    return httpx.get(f"http://127.0.0.1:{self._port}/readyz", trust_env=False, timeout=5).is_success
                except httpx.HTTPError:
                    return False

            wait_until(ready, timeout=READY_SECONDS, clock=self.clock, reason=lambda: "the service is not ready")
            yield process


def digest(observations: Path) -> str:
    """What a batch calls a file by: its sha256, in hex."""
    return hashlib.sha256(observations.read_bytes()).hexdigest()
