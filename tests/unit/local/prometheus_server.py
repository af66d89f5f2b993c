"""A real Prometheus, and real replicas' metrics for it to scrape."""

import os
import signal
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from app.metrics import BUCKETS
from platforms.local import prometheus_binary, prometheus_config
from platforms.local.prometheus_config import Target
from strategies.traffic import Slot
from tests.ports import free_port
from tests.waiting import wait_for

SCRAPE_INTERVAL = 0.2


class Replica:
    """The metrics of one replica of the model API, served as the API serves them. No requests were counted when it starts."""

    def __init__(self, slot: Slot, version: str, port: int = 0) -> None:
        registry = CollectorRegistry()
        labels = ("version", "slot", "mirrored", "handler", "code")
        self._requests = Counter("model_api_requests_total", "Requests answered", labels, registry=registry)
        self._duration = Histogram("model_api_request_duration_seconds", "How long", labels[:-1], buckets=BUCKETS, registry=registry)
        self._in_flight = Gauge("model_api_in_flight_requests", "Being answered", labels[:2], registry=registry)
        self._server, self._thread = start_http_server(port, addr="127.0.0.1", registry=registry)
        self.port = self._server.server_port
        self.slot, self.version = slot, version
        self.target = Target(f"127.0.0.1:{self.port}", slot, version)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.stop()

    def answer(self, number: int, code: str = "200", handler: str = "/predict", mirrored: str = "false", seconds: float = 0.01) -> None:
        """Count `number` requests as answered, each after `seconds`."""
        self._requests.labels(self.version, self.slot, mirrored, handler, code).inc(number)
        for _ in range(number):
            self._duration.labels(self.version, self.slot, mirrored, handler).observe(seconds)

    def hold(self, number: int) -> None:
        """Have so many more requests under way."""
        self._in_flight.labels(self.version, self.slot).inc(number)

    def stop(self) -> None:
        """Serve no more; the port is free then."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class PrometheusServer:
    """A Prometheus configured by the lab, in a folder of its own; `flags` are added to its command line."""

    def __init__(self, folder: Path, *flags: str) -> None:
        self._folder = folder
        self._flags = flags
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(exist_ok=True)
        (folder / "prometheus.yml").write_text(prometheus_config.config(folder / "targets.json", SCRAPE_INTERVAL), encoding="utf-8")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and wait until it is ready."""
        command = prometheus_config.command(
            prometheus_binary.install(print), self._folder / "prometheus.yml", self._folder / "data", self._port
        )
        log = self._folder / "log"
        with log.open("ab") as file:
            process = subprocess.Popen([*command, *self._flags], stdout=file, stderr=file)
        self._process = process

        def ready() -> bool:
            assert process.poll() is None, f"Prometheus ended: {log.read_text(encoding='utf-8')}"
            try:
                return httpx.get(prometheus_config.ready_url(self._port), trust_env=False).status_code == 200
            except httpx.HTTPError:
                return False

        wait_for(ready, "Prometheus is ready")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Stop it, by its process id, and wait for its end."""
        if self._process is not None:
            os.kill(self._process.pid, how)
            self._process.wait(20)
            self._process = None

    def watch(self, targets: Iterable[Target]) -> None:
        """Have it scrape these replicas from now on."""
        new = self._folder / "targets.json.new"
        new.write_text(prometheus_config.targets_file(targets), encoding="utf-8")
        new.replace(self._folder / "targets.json")

    def query(self, promql: str) -> list[Mapping[str, Any]]:
        """An instant query's series."""
        answer = httpx.get(f"{self.url}/api/v1/query", params={"query": promql}, trust_env=False).json()
        assert answer["status"] == "success", answer
        result: list[Mapping[str, Any]] = answer["data"]["result"]
        return result
