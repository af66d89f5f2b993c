"""Reading predictions: page by page, and what Prometheus is told of the batch runs."""

from datetime import datetime

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from sqlalchemy import Engine, func, select

from app.payloads import BatchPrediction, PredictionPage
from app.predictions.database import asking
from app.predictions.tables import PREDICTIONS, RUNS


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


def batches(engine: Engine) -> list[Metric]:
    """What Prometheus is told of the batch runs in the database, by version.

    Raises:
        DatabaseFailed: the database is down or has no predictions.
    """
    rows = CounterMetricFamily("model_batch_rows", "Rows in the database, predicted or refused.", labels=("version", "result"))
    seconds = CounterMetricFamily("model_batch_seconds", "Seconds spent on batches: reading, predicting and writing.", labels=("version",))
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
    with asking(engine) as connection:
        counted = connection.execute(sums).all()
        ended = {version: (at, took) for version, at, took in connection.execute(newest)}
    for version, all_rows, refused, spent in counted:
        rows.add_metric((version, "predicted"), float(all_rows - refused))
        rows.add_metric((version, "refused"), float(refused))
        seconds.add_metric((version,), spent)
    for version, (at, took) in ended.items():
        last.add_metric((version,), took)
        success.add_metric((version,), at.timestamp())
    return [rows, seconds, last, success]
