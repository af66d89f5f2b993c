"""What one repeat of `labctl serving compare` measures of each strategy, as its user meets it: at the page, and across a switch."""

import json
import resource
import time
from collections.abc import Callable
from contextlib import suppress

import psutil

from cli.serving_bench import NEW, OLD, Bench, digest
from strategies.errors import ToolFailed

NEW_ROWS = "new.csv"


class Strategy:
    """One strategy on a bench, serving the old model. What is not restarted for a switch to the new one keeps running."""

    def __init__(self, bench: Bench, name: str) -> None:
        self._bench, self._name = bench, name
        self._switch: Callable[[str], int] = {
            "embedded": self._embedded,
            "data": self._data,
            "service": self._service,
            "database": bench.predict,
        }[name]
        bench.end("service")
        self._switch(OLD)
        if name in {"service", "database"}:
            # the page has no model: it is there before the switch, and all through it
            bench.start_pages(name)

    def measured(self, seconds: float, rows: int) -> tuple[dict[str, float], dict[str, float]]:
        """The figures of the strategy, and those of the batch that predicted new rows; the latter empty for whoever needs none.

        Args:
            seconds: how long it is asked, each time.
            rows: new observations for the batch.

        Raises:
            ToolFailed: it did not answer, or not with the version that it should.
        """
        asked = self._asked(seconds)
        clicked = self._bench.visit(self._name, seconds=seconds)
        figures = {
            **{name: float(value) for name, value in asked.items() if name != "version"},
            **{f"page_{name}": float(clicked[name]) for name in ("p50_seconds", "p99_seconds")},
            "rss_bytes": float(sum(process.memory_info().rss for process in self._bench.serving.values())),
            **self._switched(),
        }
        if self._name == "database":
            batch, fresh = self._new_rows(rows)
            return {**figures, "fresh_seconds": fresh}, batch
        return {**figures, "fresh_seconds": float(self._bench.visit(self._name, seconds=seconds, new=True)["p50_seconds"])}, {}

    def _asked(self, seconds: float) -> dict[str, float]:
        service = self._bench.serving.get("service")
        counted = ("--also", str(service.pid)) if service else ()
        asked: dict[str, float] = json.loads(self._bench.run("app.pages.measuring", self._name, "--for", str(seconds), *counted))
        return asked

    def _switched(self) -> dict[str, float]:
        """The switch to the new model, from its beginning until the page shows an answer of it."""
        there = set(self._bench.serving.values())
        began = time.monotonic()
        moved = self._switch(NEW)
        version = self._bench.visit(self._name)["version"]
        took = time.monotonic() - began
        if version != NEW:
            raise ToolFailed(f"the page of {self._name} still answers with {version} after the switch to {NEW}")
        return {
            "switch_seconds": took,
            "switch_restarts": len(set(self._bench.serving.values()) - there),
            "switch_bytes": moved,
        }

    def _embedded(self, version: str) -> int:
        moved = self._bench.embed(version)
        self._bench.start_pages("embedded")
        return moved

    def _data(self, version: str) -> int:
        moved = self._bench.choose(version)
        self._bench.start_pages("data")
        return moved

    def _service(self, version: str) -> int:
        moved = self._bench.choose(version)
        self._bench.start_service()
        return moved

    def _new_rows(self, rows: int) -> tuple[dict[str, float], float]:
        """What the batch of new rows took, and the seconds from the rows until the page shows them."""
        file = self._bench.observations(NEW_ROWS, rows)
        # the page is open already, as it is for whoever clicks
        self._bench.visit(self._name, new=True)
        most = 0

        def look(pid: int) -> None:
            nonlocal most
            # between two looks it may have ended
            with suppress(psutil.Error):
                most = max(most, psutil.Process(pid).memory_info().rss)

        began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        self._bench.predict(NEW, file, look)
        took, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        newest = self._bench.visit(self._name, new=True)["newest"]
        shown = time.monotonic() - began
        if not newest or not digest(file).startswith(newest):
            raise ToolFailed(f"the page of the database shows predictions of {newest or 'no file'} as the newest, and not the new rows")
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        batch = {"fresh_seconds": took, "per_second": rows / took, "per_cpu_second": rows / max(cpu, 0.01), "rss_bytes": float(most)}
        return batch, shown
