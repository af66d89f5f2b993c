"""Runs side by side: what each cost its users, over the time that is shown."""

from grafana_foundation_sdk.builders import dashboard

from dashboards.panels import HALF, Query, board, lines, percent, rows

REQUESTS = "sum by (run) (max_over_time(labctl_rollout_users_requests_total[$__range]))"


def build() -> dashboard.Dashboard:
    """The dashboard *Compare*."""
    made = board("lab-compare", "Compare", "Runs side by side: what each cost its users.", span="now-3h")
    made = made.with_panel(
        rows(
            "Runs",
            "Each run in the time shown; percents are of the users' requests, at both versions together.",
            Query(
                "max by (run, strategy, from_version, to_version) (max_over_time(labctl_rollout_info[$__range]))",
                "runs",
            ),
            Query(REQUESTS, "requests"),
            *(Query(_percent(kind), f"{kind} %") for kind in ("failed", "slow", "wrong")),
            Query(
                "max by (run) (max_over_time(timestamp(labctl_rollout_info)[$__range:5s]))"
                " - min by (run) (min_over_time(timestamp(labctl_rollout_info)[$__range:5s]))",
                "seconds seen",
            ),
            by="run",
        )
    )
    for kind, words in (
        ("failed", "got anything but a 2xx"),
        ("slow", "took longer than the run's objective"),
        ("wrong", "were told the wrong class"),
    ):
        made = made.with_panel(
            lines(
                f"Requests that {words}",
                "A second, by run and slot.",
                Query(f'sum by (run, slot) (rate(labctl_rollout_users_bad_total{{kind="{kind}"}}[$__rate_interval]))', "{{run}} {{slot}}"),
                unit="reqps",
                span=HALF,
            )
        )
    return made.with_panel(
        lines(
            "Intended weight",
            "Of the slot that is not stable.",
            Query("max by (run, slot) (labctl_rollout_intended_weight_percent)", "{{run}} {{slot}}"),
            unit="percent",
            span=HALF,
        )
    )


def _percent(kind: str) -> str:
    return percent(f'sum by (run) (max_over_time(labctl_rollout_users_bad_total{{kind="{kind}"}}[$__range]))', REQUESTS)
