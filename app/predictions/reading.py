"""Reading predictions: page by page, and what Prometheus is told of the batch runs."""

import threading
import time
from collections.abc import Iterator
from datetime import datetime

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Engine, func, select

from app.errors import DatabaseFailed
from app.payloads import BatchPrediction, PredictionPage
from app.predictions.database import asking
from app.predictions.tables import PREDICTIONS, RUNS

SECONDS_FRESH = 10.0
"""How long what was read is told again: scrapes must not load the database, however many scrape."""
SCRAPE_SECONDS = 0.5
"""How long a scrape waits for the database: a replica that is scraped too late counts as gone, and it may predict all the while."""


def page(
    engine: Engine,
    *,
    limit: int,
    cursor: int | None = None,
    version: str | None = None,
    prediction: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> PredictionPage:
    """The newest predictions first; `cursor` is what the page before told.

    Raises:
        DatabaseFailed: the database is down or has no predictions.
    """
    columns = PREDICTIONS.c
    wanted = select(PREDICTIONS).order_by(columns.id.desc()).limit(limit + 1)
    if cursor is not None:
        # by key and not by offset: a page stays what it is while a batch is written
        wanted = wanted.where(columns.id < cursor)
    if version is not None:
        wanted = wanted.where(columns.version == version)
    if prediction is not None:
        wanted = wanted.where(columns.prediction == prediction)
    if since is not None:
        wanted = wanted.where(columns.predicted_at >= since)
    if until is not None:
        wanted = wanted.where(columns.predicted_at < until)
    with asking(engine) as connection:
        rows = connection.execute(wanted).mappings().all()
    found = [BatchPrediction.model_validate(dict(row)) for row in rows[:limit]]
    return PredictionPage(predictions=found, next_cursor=rows[limit - 1]["id"] if len(rows) > limit else None)


class BatchMetrics(Collector):
    """The batch runs in the database, by version. If it cannot be asked, its series are missing and not zero."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._reading: threading.Thread | None = None
        self._read_at = float("-inf")
        self._families: list[Metric] = []

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
            return iter(self._families if self._is_fresh() else [_up(0)])

    def _is_fresh(self) -> bool:
        return time.monotonic() - self._read_at < SECONDS_FRESH

    def _read_again(self) -> None:
        families = self._read()
        with self._lock:
            self._families, self._read_at = families, time.monotonic()

    def _read(self) -> list[Metric]:
        rows = CounterMetricFamily("model_batch_rows", "Rows in the database, predicted or refused.", labels=("version", "result"))
        seconds = CounterMetricFamily(
            "model_batch_seconds", "Seconds spent on batches: reading, predicting and writing.", labels=("version",)
        )
        last = GaugeMetricFamily(
            "model_batch_duration_seconds",
            "Seconds that the input which was done last took, all runs over it together.",
            labels=("version",),
        )
        success = GaugeMetricFamily(
            "model_batch_last_success_timestamp_seconds", "When a run last came to its end, in Unix time.", labels=("version",)
        )
        of = RUNS.c
        sums = select(of.version, func.sum(of.rows), func.sum(of.refused), func.sum(of.seconds)).group_by(of.version)
        newest = select(of.version, of.succeeded_at, of.seconds).where(of.succeeded_at.is_not(None)).order_by(of.succeeded_at)
        try:
            with asking(self._engine) as connection:
                counted = connection.execute(sums).all()
                ended = {version: (at, took) for version, at, took in connection.execute(newest)}
        except DatabaseFailed:
            return [_up(0)]
        for version, all_rows, refused, spent in counted:
            rows.add_metric((version, "predicted"), float(all_rows - refused))
            rows.add_metric((version, "refused"), float(refused))
            seconds.add_metric((version,), spent)
        for version, (at, took) in ended.items():
            last.add_metric((version,), took)
            success.add_metric((version,), at.timestamp())
        return [_up(1), rows, seconds, last, success]


def _up(value: int) -> Metric:
    answers = GaugeMetricFamily("model_batch_database_up", "Whether the database of predictions can be asked.")
    answers.add_metric((), value)
    return answers
