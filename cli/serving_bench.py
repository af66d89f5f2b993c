"""Everything that a comparison of the serving strategies runs: a store, a service and a database of its own, in one folder."""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from cli.clock import SystemClock
from platforms.local.ports import free_ports
from strategies.errors import ToolFailed
from strategies.waiting import wait_until

STRATEGIES = ("embedded", "data", "service", "database")
OLD, NEW = "v1", "v2"
READY_SECONDS = 60.0


class Bench:
    """One repeat.

    Attributes:
        batch: what predicting new rows into the database took.
    """

    def __init__(self, folder: Path, rows: int, seconds: float, clock: SystemClock) -> None:
        self._folder, self._rows, self._seconds, self._clock = folder, rows, seconds, clock
        self._store, self._config = folder / "store", folder / "model.toml"
        self._database = folder / "predictions.db"
        self._port = free_ports(1)[0]
        self._service: subprocess.Popen[bytes] | None = None
        self._artifact = Path()
        self.batch: dict[str, float] = {}
        self._embed(OLD)

    def measured(self, strategy: str) -> dict[str, float]:
        """The old model measured, then the switch to the new one, up to the new one's first answer."""
        start: Callable[[str], int] = {"embedded": self._embed, "data": self._choose, "service": self._serve, "database": self._predict}[
            strategy
        ]
        start(OLD)
        figures: dict[str, float] = {name: value for name, value in self._ask(strategy, self._seconds).items() if name != "version"}
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

    def down(self) -> dict[str, dict[str, str]]:
        """What a page that starts says while the store, the service or the database is down; each is put back afterwards."""
        said: dict[str, dict[str, str]] = {}
        away = self._folder / "away"
        for name, path in (("store", self._store), ("database", self._database)):
            path.rename(away)
            said[name] = {strategy: self._sentence(strategy) for strategy in STRATEGIES}
            away.rename(path)
        self.end()
        said["service"] = {strategy: self._sentence(strategy) for strategy in STRATEGIES}
        return said

    def end(self) -> None:
        """End the service."""
        if self._service is not None:
            self._service.terminate()
            try:
                self._service.wait(15)
            except subprocess.TimeoutExpired:
                self._service.kill()
                self._service.wait()
            self._service = None

    def _embed(self, version: str) -> int:
        done = self._run("app.artifact", "--store", str(self._store), "--version", version, "--to", str(self._folder / "artifacts"))
        self._artifact = Path(done.strip())
        return int(json.loads((self._artifact / "artifact.json").read_bytes())["bytes"])

    def _choose(self, version: str) -> int:
        self._run("app.stores", "use", version, "--config", str(self._config), "--store", str(self._store), "--from", str(self._store))
        return sum(path.stat().st_size for path in (self._store / version).iterdir())

    def _serve(self, version: str) -> int:
        moved = self._choose(version)
        self.end()
        variables = {"CONFIG": str(self._config), "HOST": "127.0.0.1", "PORT": str(self._port), "DRAIN_SECONDS": "0"}
        environment = {**os.environ, **{f"MODEL_API_{name}": value for name, value in variables.items()}}
        with (self._folder / "service.log").open("wb") as log:
            self._service = subprocess.Popen([sys.executable, "-m", "app.server"], env=environment, stderr=log)
        wait_until(self._ready, timeout=READY_SECONDS, clock=self._clock, reason=lambda: "the service is not ready")
        return moved

    def _ready(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self._port}/readyz", trust_env=False, timeout=5).is_success
        except httpx.HTTPError:
            return False

    def _predict(self, version: str, observations: Path | None = None) -> int:
        before = self._database.stat().st_size if self._database.exists() else 0
        file = str(observations or self._store / "holdout.csv")
        self._run("app.batch", file, "--store", str(self._store), "--version", version, "--database", f"sqlite:///{self._database}")
        return self._database.stat().st_size - before

    def _predict_new_rows(self) -> None:
        header, *cases = (self._store / "holdout.csv").read_text().splitlines()
        observations = self._folder / "new.csv"
        observations.write_text("\n".join([header, *(cases[row % len(cases)] for row in range(self._rows))]) + "\n")
        began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        self._predict(NEW, observations)
        took, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        self.batch = {"fresh_seconds": took, "per_second": self._rows / took, "per_cpu_second": self._rows / max(cpu, 0.01)}

    def _sentence(self, strategy: str) -> str:
        try:
            return f"answers ({self._ask(strategy, 0)['version']})"
        except ToolFailed as failure:
            return failure.stderr.strip().replace(str(self._folder), "…").replace("|", "/")

    def _ask(self, strategy: str, seconds: float) -> dict[str, Any]:
        also = ["--also", str(self._service.pid)] if strategy == "service" and self._service else []
        answer: dict[str, Any] = json.loads(self._run("app.pages.measuring", strategy, "--for", str(seconds), *also))
        return answer

    def _run(self, *program: str) -> str:
        variables = {
            "ARTIFACT": str(self._artifact),
            "CONFIG": str(self._config),
            "API": f"http://127.0.0.1:{self._port}",
            "DATABASE": f"sqlite:///{self._database}",
        }
        environment = {**os.environ, **{f"MODEL_PAGES_{name}": value for name, value in variables.items()}}
        command = (sys.executable, "-m", *program)
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ToolFailed(f"{program[0]} failed with exit code {done.returncode}", command, done.stderr)
        return done.stdout
