"""What Prometheus is told of the batches, however long the database takes to answer, and also where there is none."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app.errors import AppError

SECONDS_FRESH = 10.0
"""How long what was read is told again: scrapes must not load the database, however many scrape."""
SCRAPE_SECONDS = 0.5
"""How long a scrape waits for the database: a replica that is scraped too late counts as gone, and it may predict all the while."""


class BatchMetrics(Collector):
    """The batch runs in the database, by version. If it cannot be asked, its series are missing and not zero.

    `read` gives the series, or raises an `AppError` if the database cannot be asked.
    """

    def __init__(self, read: Callable[[], Sequence[Metric]]) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._reading: threading.Thread | None = None
        self._read_at = float("-inf")
        self._families: Sequence[Metric] = ()

    def describe(self) -> Iterator[Metric]:
        """Nothing: the registry must not ask the database when this is registered."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """What is in the database now, or was a moment ago."""
        with self._lock:
            if self._is_fresh():
                return iter(self._families)
            if not (self._reading and self._reading.is_alive()):
                # of those that a hanging database keeps there is never more than one, and it keeps no process from its end
                self._reading = threading.Thread(target=self._read_again, name="batch-metrics", daemon=True)
                self._reading.start()
            reading = self._reading
        reading.join(SCRAPE_SECONDS)
        with self._lock:
            return iter(self._families if self._is_fresh() else [database_up(0)])

    def _is_fresh(self) -> bool:
        return time.monotonic() - self._read_at < SECONDS_FRESH

    def _read_again(self) -> None:
        try:
            families = [database_up(1), *self._read()]
        except AppError:
            families = [database_up(0)]
        with self._lock:
            self._families, self._read_at = families, time.monotonic()


def database_up(value: int) -> Metric:
    """Whether the database can be asked: 1 or 0."""
    answers = GaugeMetricFamily("model_batch_database_up", "Whether the database of predictions can be asked.")
    answers.add_metric((), value)
    return answers
