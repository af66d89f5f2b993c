"""A rollout while it runs: what was intended beside what users and servers saw."""

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models.dashboard import VariableRefresh, VariableSort

from dashboards.panels import FULL, SOURCE, THIRD, Query, board, heat, lines, number, percent, quantile, stacked, states

USERS = 'job="model-api",handler="/predict",mirrored="false"'
REQUESTS = f"sum by (slot, version) (rate(model_api_requests_total{{{USERS}}}[$__rate_interval]))"
FAILED = f'sum by (slot, version) (rate(model_api_requests_total{{{USERS},code!~"2.."}}[$__rate_interval]))'
BUCKETS = f"rate(model_api_request_duration_seconds_bucket{{{USERS}}}[$__rate_interval])"
RUN = 'run=~"$run"'
USER_REQUESTS = f"sum by (run, slot) (rate(labctl_rollout_users_requests_total{{{RUN}}}[$__rate_interval]))"


def build() -> dashboard.Dashboard:
    """The dashboard *Rollout*."""
    made = (
        board("lab-rollout", "Rollout", "A rollout while it runs: what was intended beside what users and servers saw.")
        .with_variable(
            dashboard.QueryVariable("run")
            .label("Run")
            .datasource(SOURCE)
            .query({"query": "label_values(labctl_rollout_info, run)", "refId": "run"})
            .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
            .sort(VariableSort.ALPHABETICAL_DESC)
            .include_all(True)
            .all_value(".*")
        )
        .annotation(
            dashboard.AnnotationQuery()
            .name("Steps")
            .datasource(SOURCE)
            .icon_color("#7F7F7F")
            .expr(f"labctl_rollout_step_started_timestamp_seconds{{{RUN}}} * 1000")
        )
        .annotation(
            dashboard.AnnotationQuery()
            .name("Verdicts")
            .datasource(SOURCE)
            .icon_color("#D55E00")
            .expr(f"labctl_rollout_verdict_timestamp_seconds{{{RUN}}} * 1000")
        )
    )
    for panel in (
        number(
            "Run",
            "What is under way.",
            Query(f"labctl_rollout_info{{{RUN}}}", "{{strategy}} {{from_version}} → {{to_version}}"),
            named=True,
        ),
        number("Steps begun", "Of the plan, or of its way back.", Query(f"labctl_rollout_step{{{RUN}}}", "{{step}}")),
        number("Slow from", "Slower requests count as slow.", Query(f"labctl_rollout_objective_seconds{{{RUN}}}", "{{run}}"), unit="s"),
        number(
            "Verdict of the newest look",
            "PASS, FAIL, INCONCLUSIVE or ERROR; only PASS promotes.",
            Query(f"labctl_rollout_verdict{{{RUN}}}", "{{verdict}}"),
            named=True,
        ),
        states("Phases", "What the rollout does.", Query(f"labctl_rollout_phase{{{RUN}}}", "{{phase}}")),
        stacked(
            "Requests by version", "Users' requests that the replicas answered.", Query(REQUESTS, "{{slot}} {{version}}"), unit="reqps"
        ),
        lines(
            "Intended and served weight",
            "Dashed: the share that was asked for. Solid: the share of the users' requests that the slot got.",
            Query(f"max by (run, slot) (labctl_rollout_intended_weight_percent{{{RUN}}})", "{{slot}} intended", dashed=True),
            Query(
                percent(
                    USER_REQUESTS,
                    f'sum by (run) (rate(labctl_rollout_users_requests_total{{{RUN},slot!="nobody"}}[$__rate_interval]))',
                    matching="ignoring (slot) group_left () ",
                ),
                "{{slot}} served",
            ),
            unit="percent",
        ),
        lines(
            "Failures, as users met them",
            "Share of the users' requests that got anything but a 2xx.",
            Query(_bad("failed"), "{{slot}}"),
            unit="percent",
        ),
        lines(
            "Failures, as servers counted them",
            "Requests that the replicas answered with anything but a 2xx; what the proxy answered itself is missing here.",
            Query(percent(FAILED, REQUESTS), "{{slot}} {{version}}"),
            unit="percent",
        ),
        lines(
            "Latency percentiles",
            "At the replicas, from the request's headers to the answer's.",
            *(
                Query(quantile(q, f"sum by (slot, version, le) ({BUCKETS})"), f"{{{{slot}}}} {{{{version}}}} {name}")
                for name, q in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
            ),
            unit="s",
        ),
        heat(
            "Latency", "How many requests a second took how long, at all replicas.", Query(f"sum by (le) ({BUCKETS})", "{{le}}"), unit="s"
        ),
        lines(
            "Wrong predictions",
            "Share of the users' good answers that named the wrong class: only who knows the truth can count them.",
            Query(_bad("wrong"), "{{slot}}"),
            unit="percent",
        ),
        lines(
            "Slow requests",
            "Share of the users' requests that took longer than the objective, from their intended time.",
            Query(_bad("slow"), "{{slot}}"),
            unit="percent",
        ),
        lines(
            "Evidence of harm",
            "Logarithm of the evidence that the candidate is worse than stable by more than the margin. From the limit on it is proved.",
            Query(f"labctl_rollout_evidence{{{RUN}}}", "{{metric}}"),
            Query(f"max by (run) (labctl_rollout_evidence_limit{{{RUN}}})", "limit", dashed=True),
            unit="none",
        ),
        lines(
            "Requests judged, and needed",
            "The candidate's requests in this analysis. Dashed: from how many on a harm that matters would be proved.",
            Query(f'labctl_rollout_judged_requests{{{RUN},role="candidate"}}', "{{metric}}"),
            Query(f"labctl_rollout_needed_requests{{{RUN}}}", "{{metric}} needed", dashed=True),
            unit="none",
        ),
        lines(
            "Ready replicas by slot",
            "Replicas that answered their newest scrape.",
            Query('sum by (slot, version) (up{job="model-api"})', "{{slot}} {{version}}"),
            unit="none",
            span=THIRD,
        ),
        lines(
            "Processor",
            "Cores that a slot's replicas use.",
            Query('sum by (slot, version) (rate(process_cpu_seconds_total{job="model-api"}[$__rate_interval]))', "{{slot}} {{version}}"),
            unit="none",
            span=THIRD,
        ),
        lines(
            "In flight",
            "Requests being answered: what piles up here is waiting.",
            Query('sum by (slot, version) (model_api_in_flight_requests{job="model-api"})', "{{slot}} {{version}}"),
            unit="none",
            span=THIRD,
        ),
        lines(
            "Memory",
            "Resident memory of a slot's replicas.",
            Query('sum by (slot, version) (process_resident_memory_bytes{job="model-api"})', "{{slot}} {{version}}"),
            unit="bytes",
            span=FULL,
        ),
    ):
        made = made.with_panel(panel)
    return made


def _bad(kind: str) -> str:
    """Percents of the users' requests that were bad in this way, by slot."""
    bad = f'sum by (run, slot) (rate(labctl_rollout_users_bad_total{{{RUN},kind="{kind}"}}[$__rate_interval]))'
    return percent(bad, USER_REQUESTS)
