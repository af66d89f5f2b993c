"""The proxy's own metrics: what it took from users, what it sent to which slot, and what it answered by itself."""

from grafana_foundation_sdk.builders import dashboard

from dashboards.panels import Query, board, heat, lines, number, quantile, stacked

UPSTREAM = 'envoy_cluster_name=~".*(blue|green).*"'
BY_CLUSTER = "sum by (envoy_cluster_name)"
CLUSTER = "{{envoy_cluster_name}}"
EVERY = "5s"
"""How often a cluster's Prometheus scrapes its gateway."""


def build() -> dashboard.Dashboard:
    """The dashboard *Gateway*."""
    made = board("lab-gateway", "Gateway", "Envoy's own metrics: what it took, where it sent it, and what it answered by itself.")
    for panel in (
        number("Requests", "Taken by the gateway.", _ask("sum(rate(envoy_http_downstream_rq_total[$__rate_interval]))", ""), unit="reqps"),
        number("In flight", "Requests that the gateway is busy with.", _ask("sum(envoy_http_downstream_rq_active)", "")),
        number("Connections", "Open ones of users.", _ask("sum(envoy_http_downstream_cx_active)", "")),
        number(
            "Healthy endpoints",
            "Replicas that pass the proxy's own check.",
            _ask(f"sum(envoy_cluster_membership_healthy{{{UPSTREAM}}})", ""),
        ),
        stacked(
            "Answers to users",
            "By class of status, the proxy's own answers included.",
            _ask(
                "sum by (envoy_response_code_class) (rate(envoy_http_downstream_rq_xx[$__rate_interval]))",
                "{{envoy_response_code_class}}xx",
            ),
            unit="reqps",
        ),
        stacked(
            "Requests to the slots",
            "As sent upstream, retries included.",
            _ask(_rate("envoy_cluster_upstream_rq_total"), CLUSTER),
            unit="reqps",
        ),
        lines(
            "Answers that are no 2xx",
            "By slot and class of status.",
            _ask(
                "sum by (envoy_cluster_name, envoy_response_code_class) "
                f'(rate(envoy_cluster_upstream_rq_xx{{{UPSTREAM},envoy_response_code_class!="2"}}[$__rate_interval]))',
                f"{CLUSTER} {{{{envoy_response_code_class}}}}xx",
            ),
            unit="reqps",
        ),
        lines(
            "What the proxy met upstream",
            "Timeouts, retries, connections that failed, resets: what users were answered without a replica's word.",
            *(
                _ask(_rate(f"envoy_cluster_upstream_{name}"), f"{CLUSTER} {words}")
                for name, words in (
                    ("rq_timeout", "timeouts"),
                    ("rq_retry", "retries"),
                    ("cx_connect_fail", "failed connections"),
                    ("rq_rx_reset", "resets"),
                )
            ),
            unit="reqps",
        ),
        lines(
            "Upstream time",
            "Percentiles, from the proxy's side.",
            *(
                _ask(quantile(q, f"sum by (envoy_cluster_name, le) ({_buckets()})"), f"{CLUSTER} {name}")
                for name, q in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
            ),
            unit="ms",
        ),
        heat("Upstream times", "How many requests a second took how long.", _ask(f"sum by (le) ({_buckets()})", "{{le}}"), unit="ms"),
        lines(
            "Waiting for a connection, and in flight",
            "What waits here finds no replica that takes it.",
            _ask(f"{BY_CLUSTER} (envoy_cluster_upstream_rq_pending_active{{{UPSTREAM}}})", f"{CLUSTER} waiting"),
            _ask(f"{BY_CLUSTER} (envoy_cluster_upstream_rq_active{{{UPSTREAM}}})", f"{CLUSTER} in flight"),
            unit="none",
        ),
        lines(
            "Endpoints",
            "Replicas that the proxy knows of (dashed) and those that pass its check.",
            _ask(f"{BY_CLUSTER} (envoy_cluster_membership_healthy{{{UPSTREAM}}})", f"{CLUSTER} healthy"),
            _ask(f"{BY_CLUSTER} (envoy_cluster_membership_total{{{UPSTREAM}}})", f"{CLUSTER} known", dashed=True),
            unit="none",
        ),
    ):
        made = made.with_panel(panel)
    return made


def _ask(expr: str, legend: str, *, dashed: bool = False) -> Query:
    return Query(expr, legend, dashed=dashed, every=EVERY)


def _rate(metric: str) -> str:
    return f"{BY_CLUSTER} (rate({metric}{{{UPSTREAM}}}[$__rate_interval]))"


def _buckets() -> str:
    return f"rate(envoy_cluster_upstream_rq_time_bucket{{{UPSTREAM}}}[$__rate_interval])"
