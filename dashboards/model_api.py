"""The model API by itself: rate, errors, duration, and what it predicts."""

from grafana_foundation_sdk.builders import dashboard

from dashboards.panels import HALF, Query, board, heat, lines, percent, quantile, rows, stacked

API = 'job="model-api"'
RATE = f"sum by (handler, code) (rate(model_api_requests_total{{{API}}}[$__rate_interval]))"
BUCKETS = f'rate(model_api_request_duration_seconds_bucket{{{API},handler="/predict"}}[$__rate_interval])'


def build() -> dashboard.Dashboard:
    """The dashboard *Model API*."""
    made = board("lab-model-api", "Model API", "The model API by itself: rate, errors, duration, and what it predicts.")
    for panel in (
        stacked("Requests", "By handler and status, mirrored ones included.", Query(RATE, "{{handler}} {{code}}"), unit="reqps"),
        lines(
            "Errors",
            "Share of the answers that are no 2xx, by replica.",
            Query(
                percent(
                    f'sum by (slot, version, instance) (rate(model_api_requests_total{{{API},code!~"2.."}}[$__rate_interval]))',
                    f"sum by (slot, version, instance) (rate(model_api_requests_total{{{API}}}[$__rate_interval]))",
                ),
                "{{slot}} {{version}} {{instance}}",
            ),
            unit="percent",
        ),
        lines(
            "Duration",
            "Percentiles of the predictions, from the request's headers to the answer's.",
            *(
                Query(quantile(q, f"sum by (version, le) ({BUCKETS})"), f"{{{{version}}}} {name}")
                for name, q in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
            ),
            unit="s",
        ),
        heat("Durations", "How many predictions a second took how long.", Query(f"sum by (le) ({BUCKETS})", "{{le}}"), unit="s"),
        lines(
            "In flight",
            "Requests being answered, by replica.",
            Query(f"model_api_in_flight_requests{{{API}}}", "{{slot}} {{version}} {{instance}}"),
            unit="none",
        ),
        lines(
            "Mirrored",
            "Copies of users' requests, which nobody waits for.",
            Query(
                f'sum by (slot, version) (rate(model_api_requests_total{{{API},mirrored="true"}}[$__rate_interval]))',
                "{{slot}} {{version}}",
            ),
            unit="reqps",
        ),
        lines(
            "Predictions by class",
            "Share of each class in what a version predicts. A version that differs from the other one here deserves a look.",
            Query(
                percent(
                    f"sum by (version, prediction) (rate(model_api_predictions_total{{{API}}}[$__rate_interval]))",
                    f"sum by (version) (rate(model_api_predictions_total{{{API}}}[$__rate_interval]))",
                    matching="ignoring (prediction) group_left () ",
                ),
                "{{version}} {{prediction}}",
            ),
            unit="percent",
        ),
        heat(
            "Scores",
            "How many predictions a second had which probability of the class that they named: a model that is unsure has many low ones.",
            Query(f"sum by (le) (rate(model_api_prediction_score_bucket{{{API}}}[$__rate_interval]))", "{{le}}"),
            unit="percentunit",
        ),
        lines(
            "Median score",
            "By version.",
            Query(
                quantile(0.5, f"sum by (version, le) (rate(model_api_prediction_score_bucket{{{API}}}[$__rate_interval]))"),
                "{{version}}",
            ),
            unit="percentunit",
        ),
        rows(
            "Models",
            "What each version's replicas have loaded.",
            Query(f"count by (version, model, sha256, scikit_learn) (model_api_model_info{{{API}}})", "replicas"),
            by="version",
            span=HALF,
        ),
    ):
        made = made.with_panel(panel)
    return made
