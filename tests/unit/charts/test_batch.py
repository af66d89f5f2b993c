"""The chart of a scheduled batch: what it promises of its pods, and what it refuses."""

from typing import Any

import pytest

from tests.unit.charts.chart import containers, is_restricted, lint, only, pods, rendered, template

pytestmark = pytest.mark.cluster


def render(**values: Any) -> list[dict[str, Any]]:
    return rendered("batch", "nightly", {"image": {"tag": "abc"}, **values})


def test_it_is_clean() -> None:
    done = lint("batch")

    assert done.returncode == 0, done.stdout


def test_its_pod_passes_pod_security_restricted_on_a_root_that_nobody_writes() -> None:
    (pod,) = pods(render())

    assert is_restricted(pod)
    assert pod["automountServiceAccountToken"] is False
    for one in containers(pod):
        assert one["securityContext"]["readOnlyRootFilesystem"]
        assert {"requests", "limits"} <= one["resources"].keys()


def test_nobody_asks_it_anything_and_it_may_reach_its_store_and_database_anywhere() -> None:
    objects = render()
    policy = only(objects, "NetworkPolicy")["spec"]
    labels = only(objects, "CronJob")["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["labels"]

    assert policy["podSelector"]["matchLabels"].items() <= labels.items()
    assert (policy["ingress"], policy["egress"]) == ([], [{}])
    assert not [one for one in render(networkPolicy={"enabled": False}) if one["kind"] == "NetworkPolicy"]


def test_there_is_a_job_for_each_schedule_and_it_never_runs_twice_at_once() -> None:
    both = [one for one in render(schedules={"daily": "30 2 * * *"}) if one["kind"] == "CronJob"]

    assert {one["metadata"]["name"]: one["spec"]["schedule"] for one in both} == {
        "nightly-batch-hourly": "0 * * * *",
        "nightly-batch-daily": "30 2 * * *",
    }
    assert {one["spec"]["concurrencyPolicy"] for one in both} == {"Forbid"}
    assert only(render(), "CronJob")["metadata"]["name"] == "nightly-batch-hourly"


@pytest.mark.parametrize(
    "values",
    [
        {"schedules": {"hourly": "often"}},
        {"schedule": "0 * * * *"},
        {"image": {"tag": "not a tag"}},
        {"model": {"version": "../v1"}},
        {"model": {"sha256": "abc"}},
        {"input": {"path": "observations.csv"}},
        {"database": {"secretName": ""}},
        {"storeCredentials": {"endpointUrl": "store"}},
        {"retries": -1},
        {"scratch": {"sizeLimit": "plenty"}},
        {"shedule": "@hourly"},
    ],
)
def test_nonsense_is_refused(values: dict[str, Any]) -> None:
    done = template("batch", "nightly", values)

    assert done.returncode != 0
    assert "values don't meet the specifications" in done.stderr
