"""The charts of the pages and of the batches: what they promise of their pods, and what they refuse."""

from typing import Any

import pytest

from tests.unit.charts.chart import is_restricted, lint, only, rendered, template

pytestmark = pytest.mark.cluster


def pages(**values: Any) -> list[dict[str, Any]]:
    return rendered("pages", "pages", {"image": {"tag": "v1-abc"}, **values})


def batch(**values: Any) -> list[dict[str, Any]]:
    return rendered("batch", "scores", {"image": {"tag": "abc"}, **values})


def environment(objects: list[dict[str, Any]]) -> dict[str, Any]:
    (container,) = only(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    return {one["name"]: one.get("value", one.get("valueFrom")) for one in container["env"]}


@pytest.mark.parametrize("chart", ["pages", "batch"])
def test_it_is_clean(chart: str) -> None:
    done = lint(chart)

    assert done.returncode == 0, done.stdout


def test_every_pod_passes_pod_security_restricted_on_a_root_that_nobody_writes() -> None:
    served = only(pages(), "Deployment")["spec"]["template"]["spec"]
    performed = only(batch(), "CronJob")["spec"]["jobTemplate"]["spec"]["template"]["spec"]

    for pod in (served, performed):
        assert is_restricted(pod)
        assert pod["automountServiceAccountToken"] is False
        assert all(one["securityContext"]["readOnlyRootFilesystem"] for one in pod["containers"])


def test_another_model_restarts_the_pages_and_nothing_else_does() -> None:
    def noted(**values: Any) -> str:
        return str(only(pages(**values), "Deployment")["spec"]["template"]["metadata"]["annotations"]["checksum/model"])

    assert noted() == noted(resources={})
    assert noted() != noted(model={"version": "v2"})
    assert 'version = "v2"' in only(pages(model={"version": "v2"}), "ConfigMap")["data"]["model.toml"]


def test_passwords_come_from_secrets_alone_and_the_embedded_page_is_given_none() -> None:
    told = environment(pages(apiKey={"secretName": "key"}))

    for name in ("MODEL_PAGES_DATABASE", "MODEL_PAGES_API_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        assert "secretKeyRef" in told[name], name
    assert set(environment(pages(show="embedded"))) == {"MODEL_PAGES_SHOW", "OMP_NUM_THREADS"}


def test_there_is_a_job_for_each_schedule_and_it_never_runs_twice_at_once() -> None:
    both = [one for one in batch(schedules={"daily": "30 2 * * *"}) if one["kind"] == "CronJob"]

    assert {one["metadata"]["name"]: one["spec"]["schedule"] for one in both} == {
        "scores-batch-hourly": "0 * * * *",
        "scores-batch-daily": "30 2 * * *",
    }
    assert {one["spec"]["concurrencyPolicy"] for one in both} == {"Forbid"}
    assert only(batch(), "CronJob")["metadata"]["name"] == "scores-batch-hourly"


@pytest.mark.parametrize(
    ("chart", "wrong", "told"),
    [
        ("pages", {"show": "some"}, "'all', 'embedded'"),
        ("pages", {"model": {"version": "../v2"}}, "/version"),
        ("pages", {"model": {"store": "models"}}, "/store"),
        ("pages", {"replica": 2}, "'replica' not allowed"),
        ("batch", {"schedules": {"hourly": "often"}}, "/schedules/hourly"),
        ("batch", {"schedule": "0 * * * *"}, "'schedule' not allowed"),
        ("batch", {"chunk": 0}, "/chunk"),
    ],
    ids=str,
)
def test_nonsense_is_refused_in_words(chart: str, wrong: dict[str, Any], told: str) -> None:
    done = template(chart, chart, wrong)

    assert done.returncode != 0
    assert told in done.stderr
