"""How predictions are served: batches into a database beside answers on demand, and how fresh each is."""

from grafana_foundation_sdk.builders import dashboard, table, timeseries

from dashboards.database import counted, found, variable
from dashboards.panels import FULL, Query, board, lines, number

LAST = "max by (version) (model_batch_last_success_timestamp_seconds)"
"""Every replica tells of the same database, so of what they say the largest is taken and never the sum."""


def build() -> dashboard.Dashboard:
    """The dashboard *Serving*."""
    made = board("lab-serving", "Serving", "Batches into a database beside answers on demand, and how fresh each is.", span="now-24h")
    for panel in (
        number(
            "Age of the batch predictions", "Since the newest batch that ended well.", Query(f"time() - {LAST}", "{{version}}"), unit="s"
        ),
        number(
            "Rows in the database",
            "Written by batches, predicted or refused.",
            Query("sum(max by (version, result) (model_batch_rows_total))", ""),
        ),
        number("Duration of the newest batch", "From its start to its end.", Query("max(model_batch_duration_seconds)", ""), unit="s"),
        number(
            "Predictions on demand",
            "A second, by the model API.",
            Query('sum(rate(model_api_predictions_total{job="model-api"}[$__rate_interval]))', ""),
            unit="reqps",
        ),
        lines(
            "Freshness",
            "How old the newest batch prediction is: it grows until the next batch ends well.",
            Query(f"time() - {LAST}", "{{version}}"),
            unit="s",
        ),
        lines(
            "Rows",
            "Written by batches, a second.",
            Query("sum by (version) (max by (version, result) (rate(model_batch_rows_total[$__rate_interval])))", "{{version}}"),
            unit="rowsps",
        ),
        lines("Batches", "How long each took.", Query("max by (version) (model_batch_duration_seconds)", "{{version}}"), unit="s"),
        lines(
            "Models loaded",
            "Replicas by the version that they have loaded.",
            Query('count by (version) (model_api_model_info{job="model-api"})', "{{version}}"),
            unit="none",
        ),
    ):
        made = made.with_panel(panel)
    for asked in _from_the_database():
        made = made.with_panel(asked)
    return made.with_variable(variable())


def _from_the_database() -> tuple[table.Panel | timeseries.Panel, ...]:
    """What the batches have written, as the page shows it."""
    return (
        counted(
            "Predictions written",
            "By batches, in each five minutes, by version.",
            "SELECT $__timeGroupAlias(predicted_at, '5m'), version AS metric, count(*) AS predictions FROM predictions "
            "WHERE $__timeFilter(predicted_at) GROUP BY 1, 2 ORDER BY 1",
        ),
        found(
            "Predicted classes",
            "How many of each class, and how sure the model was on average; what was refused has none.",
            "SELECT version, coalesce(prediction, 'refused') AS prediction, count(*) AS predictions, "
            'round(avg(probability)::numeric, 3) AS "mean probability" FROM predictions '
            "WHERE $__timeFilter(predicted_at) GROUP BY 1, 2 ORDER BY 1, 2",
        ),
        found(
            "Newest predictions",
            "The last that batches have written.",
            'SELECT predicted_at AS "predicted at", version, "row", coalesce(prediction, refusal) AS prediction, probability, '
            "left(input_digest, 12) AS file FROM predictions WHERE $__timeFilter(predicted_at) ORDER BY id DESC LIMIT 50",
            span=FULL,
        ),
    )
