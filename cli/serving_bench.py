"""Everything that a comparison of the serving strategies runs: a store, a service, a database and pages of its own, in one folder."""

import json
import os
import resource
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
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
        batch: what predicting new rows into the database took, once that was measured.
    """

    def __init__(self, folder: Path, rows: int, seconds: float, clock: SystemClock) -> None:
        self.folder, self._rows, self._seconds, self._clock = folder, rows, seconds, clock
        self.store, self.database = folder / "store", folder / "predictions.db"
        self._config = folder / "model.toml"
        self._port, self._pages_port = free_ports(2)
        self._service: ExitStack | None = None
        self._service_pid = 0
        self._artifact = Path()
        self.batch: dict[str, float] = {}

    def __enter__(self) -> "Bench":
        self.embed(OLD)
        return self

    def __exit__(self, *_: object) -> None:
        self.end_service()

    def measured(self, strategy: str) -> dict[str, float]:
        """The old model measured, then the switch to the new one, up to the new one's first answer."""
        start: Callable[[str], int] = {"embedded": self.embed, "data": self.choose, "service": self.serve, "database": self.predict}[
            strategy
        ]
        start(OLD)
        with self._pages() as pages:
            asked = self._ask(strategy, self._seconds, "--pages", f"http://127.0.0.1:{self._pages_port}")
            # what has to be there for the page to answer
            serving = [pages.pid, *([self._service_pid] if strategy == "service" else [])]
            memory = sum(psutil.Process(pid).memory_info().rss for pid in serving)
        figures = {name: float(value) for name, value in asked.items() if name != "version"} | {"rss_bytes": float(memory)}
        began = time.monotonic()
        moved = start(NEW)
        version = self._ask(strategy, 0)["version"]
        figures |= {
            "switch_seconds": time.monotonic() - began,
            "switch_restarts": 0 if strategy == "database" else 1,
            "switch_bytes": moved,
        }
        if version != NEW:
            raise ToolFailed(f"{strategy} still answers with {version} after the switch to {NEW}")
        if strategy == "database":
            self._predict_new_rows()
            figures["fresh_seconds"] = self.batch["fresh_seconds"]
        else:
            # whoever has new data asks at once
            figures["fresh_seconds"] = figures["p50_seconds"]
        return figures

    def embed(self, version: str) -> int:
        """Make the artifact of a version and predict with it from now on; the bytes of it."""
        done = self.run("app.artifact", "--store", str(self.store), "--version", version, "--to", str(self.folder / "artifacts"))
        self._artifact = Path(done.strip())
        return int(json.loads((self._artifact / "artifact.json").read_bytes())["bytes"])

    def choose(self, version: str) -> int:
        """Name a version in the configuration; the bytes that a start fetches then."""
        where = ("--config", str(self._config), "--store", str(self.store), "--from", str(self.store))
        self.run("app.stores", "use", version, *where)
        return sum(path.stat().st_size for path in (self.store / version).iterdir())

    def serve(self, version: str) -> int:
        """Choose a version and start the service anew; the bytes that it fetches.

        Raises:
            ToolFailed: the service does not start; `stderr` is its sentence.
        """
        moved = self.choose(version)
        self.start_service()
        return moved

    def start_service(self) -> None:
        """Start the service, anew if it runs.

        Raises:
            ToolFailed: it ended at once; `stderr` is its sentence.
        """
        self.end_service()
        log = self.folder / "service.log"
        log.unlink(missing_ok=True)
        variables = {"CONFIG": self._config, "HOST": "127.0.0.1", "PORT": self._port, "DRAIN_SECONDS": 0, "PARENT": os.getpid()}
        environment = {f"MODEL_API_{name}": str(value) for name, value in variables.items()}
        stack = ExitStack()
        process = stack.enter_context(child.running(("app.server",), environment, log))
        self._service, self._service_pid = stack, process.pid

        def ready() -> bool:
            if process.poll() is not None:
                raise ToolFailed("the service ended at once", stderr=log.read_text())
            try:
                return httpx.get(f"http://127.0.0.1:{self._port}/readyz", trust_env=False, timeout=5).is_success
            except httpx.HTTPError:
                return False

        try:
            wait_until(ready, timeout=READY_SECONDS, clock=self._clock, reason=lambda: "the service is not ready")
        except BaseException:
            self.end_service()
            raise

    def end_service(self) -> None:
        """End the service, if it runs."""
        if self._service is not None:
            self._service.close()
            self._service, self._service_pid = None, 0

    def predict(self, version: str, observations: Path | None = None) -> int:
        """Predict a file, or the holdout, into the database; the bytes by which it grew."""
        before = self.database.stat().st_size if self.database.exists() else 0
        file = str(observations or self.store / "holdout.csv")
        self.run("app.batch", file, "--store", str(self.store), "--version", version, "--database", f"sqlite:///{self.database}")
        return self.database.stat().st_size - before

    def rows(self) -> int:
        """How many predictions the database holds."""
        with closing(sqlite3.connect(self.database)) as connection:
            return int(connection.execute("SELECT count(*) FROM predictions").fetchone()[0])

    @contextmanager
    def user(self, strategy: str) -> Iterator[Callable[[], str]]:
        """Somebody who asks whenever the function is called; it tells the version that answered, or why none did.

        Raises:
            ToolFailed: they cannot even start; `stderr` is the sentence.
        """
        log = self.folder / "user.log"
        log.unlink(missing_ok=True)
        with child.running(("app.pages.measuring", strategy, "--asked"), self.environment(), log) as process:
            if not child.heard(process):
                raise ToolFailed(f"{strategy} does not start", stderr=log.read_text())

            def ask() -> str:
                answer = json.loads(child.tell(process) or '{"failed": "whoever asked has ended"}')
                return f"answers ({answer['version']})" if "version" in answer else self.plain(answer["failed"])

            yield ask

    def plain(self, sentence: str) -> str:
        """A sentence without this folder's path, for a table."""
        return sentence.strip().replace(f"{self.folder}/", "./").replace("|", "/")

    def environment(self) -> dict[str, str]:
        """What pages, and those who ask as they do, are told."""
        variables = {
            "ARTIFACT": self._artifact,
            "STORE": self.store,
            "CONFIG": self._config,
            "API": f"http://127.0.0.1:{self._port}",
            "DATABASE": f"sqlite:///{self.database}",
        }
        return {f"MODEL_PAGES_{name}": str(value) for name, value in variables.items()}

    def run(self, *program: str) -> str:
        """A program of the model API, to its end.

        Raises:
            ToolFailed: it failed; `stderr` is its sentence.
        """
        return child.run(program, self.environment(), self._clock)

    @contextmanager
    def _pages(self) -> Iterator[subprocess.Popen[bytes]]:
        variables = {name.removeprefix("MODEL_PAGES_"): value for name, value in self.environment().items()}
        with serving_pages(self._artifact, self._pages_port, variables, self._clock) as process:
            yield process

    def _predict_new_rows(self) -> None:
        header, *cases = (self.store / "holdout.csv").read_text().splitlines()
        observations = self.folder / "new.csv"
        observations.write_text("\n".join([header, *(cases[row % len(cases)] for row in range(self._rows))]) + "\n")
        began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        self.predict(NEW, observations)
        took, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        self.batch = {"fresh_seconds": took, "per_second": self._rows / took, "per_cpu_second": self._rows / max(cpu, 0.01)}

    def _ask(self, strategy: str, seconds: float, *more: str) -> dict[str, Any]:
        counted = ("--also", str(self._service_pid)) if strategy == "service" and self._service_pid else ()
        answer: dict[str, Any] = json.loads(self.run("app.pages.measuring", strategy, "--for", str(seconds), *counted, *more))
        return answer
