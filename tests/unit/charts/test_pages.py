"""The chart of the pages: what it promises of its pods, and what it refuses."""

from typing import Any

import pytest

from tests.unit.charts.chart import containers, is_restricted, lint, only, pods, rendered, template

pytestmark = pytest.mark.cluster


def pages(**values: Any) -> list[dict[str, Any]]:
    return rendered("pages", "pages", {"image": {"tag": "v1-abc"}, **values})


def environment(objects: list[dict[str, Any]]) -> dict[str, Any]:
    (container,) = only(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    return {one["name"]: one.get("value", one.get("valueFrom")) for one in container["env"]}


def test_it_is_clean() -> None:
    done = lint("pages")

    assert done.returncode == 0, done.stdout


def test_its_pod_passes_pod_security_restricted_on_a_root_that_nobody_writes() -> None:
    (pod,) = pods(pages())

    assert is_restricted(pod)
    assert pod["automountServiceAccountToken"] is False
    assert all(one["securityContext"]["readOnlyRootFilesystem"] for one in containers(pod))


def test_the_pages_reach_the_labs_store_and_database_and_the_gateway_and_the_embedded_one_nobody() -> None:
    egress = only(pages(), "NetworkPolicy")["spec"]["egress"]

    assert [port["port"] for rule in egress for port in rule.get("ports", [])] == [53, 53, 7070, 5432]
    assert egress[-1]["to"][0]["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "istio-system"}
    assert only(pages(show="embedded"), "NetworkPolicy")["spec"]["egress"] == []


def test_another_model_restarts_the_pages_and_nothing_else_does() -> None:
    def noted(**values: Any) -> str:
        return str(only(pages(**values), "Deployment")["spec"]["template"]["metadata"]["annotations"]["checksum/model"])

    assert noted() == noted(resources={})
    assert noted() != noted(model={"version": "v2"})
    assert 'version = "v2"' in only(pages(model={"version": "v2"}), "ConfigMap")["data"]["model.toml"]


def test_the_model_as_data_is_fetched_before_the_pages_start_so_that_a_pod_without_it_replaces_none() -> None:
    (pod,) = pods(pages(model={"version": "v2", "sha256": "a" * 64}))
    (fetch,) = pod["initContainers"]

    assert fetch["command"] == ["python", "-m", "app.fetching"]
    assert fetch["args"] == ["--store=s3://models", "--version=v2", "--to=/models", f"--sha256={'a' * 64}"]
    assert fetch["image"] == pod["containers"][0]["image"]
    assert environment(pages())["MODEL_PAGES_FETCHED"] == "/models"
    assert {"name": "models", "mountPath": "/models", "readOnly": True} in pod["containers"][0]["volumeMounts"]
    (alone,) = pods(pages(show="embedded"))
    assert "initContainers" not in alone
    assert "models" not in {volume["name"] for volume in alone["volumes"]}


def test_passwords_come_from_secrets_alone_and_the_embedded_page_is_given_none() -> None:
    told = environment(pages(apiKey={"secretName": "key"}))

    for name in ("MODEL_PAGES_DATABASE", "MODEL_PAGES_API_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        assert "secretKeyRef" in told[name], name
    assert set(environment(pages(show="embedded"))) == {"MODEL_PAGES_SHOW", "OMP_NUM_THREADS"}


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"show": "some"}, "'all', 'embedded'"),
        ({"model": {"version": "../v2"}}, "/version"),
        ({"model": {"store": "models"}}, "/store"),
        ({"replica": 2}, "'replica' not allowed"),
    ],
    ids=str,
)
def test_nonsense_is_refused_in_words(wrong: dict[str, Any], told: str) -> None:
    done = template("pages", "pages", wrong)

    assert done.returncode != 0
    assert told in done.stderr
