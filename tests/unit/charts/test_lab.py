"""The chart of what a lab has beside the model API."""

import base64
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from platforms.kubernetes import kind, lab_release
from platforms.kubernetes.settings import KubernetesSettings
from tests.unit.charts.chart import CHARTS, is_restricted, lint, only, pods, rendered, template

pytestmark = pytest.mark.cluster


def render(**values: Any) -> list[dict[str, Any]]:
    return rendered("lab", "lab", values)


def test_it_is_clean() -> None:
    done = lint("lab")

    assert done.returncode == 0, done.stdout


def test_every_pod_passes_pod_security_restricted() -> None:
    found = pods(render())

    assert len(found) == 4
    assert all(map(is_restricted, found))


def test_prometheus_may_find_pods_of_its_own_namespace_and_nothing_else() -> None:
    objects = render()

    assert only(objects, "Role")["rules"] == [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}]
    assert {one["kind"] for one in objects}.isdisjoint({"ClusterRole", "ClusterRoleBinding"})
    with_token = [pod["serviceAccountName"] for pod in pods(objects) if pod["automountServiceAccountToken"]]
    assert with_token == ["prometheus"]


def test_prometheus_keeps_the_slot_and_version_of_a_replica_that_does_not_answer() -> None:
    configuration = yaml.safe_load(only(render(), "ConfigMap", "prometheus")["data"]["prometheus.yml"])
    job = next(job for job in configuration["scrape_configs"] if job["job_name"] == "model-api")

    assert job["honor_labels"] is True
    assert {"slot", "version"} <= {rule.get("target_label") for rule in job["relabel_configs"]}


def test_grafana_makes_its_windows_from_how_often_prometheus_scrapes() -> None:
    """The window of a rate that is shorter than two scrapes shows nothing."""
    objects = render()
    configuration = yaml.safe_load(only(objects, "ConfigMap", "prometheus")["data"]["prometheus.yml"])
    jobs = {job["job_name"]: job for job in configuration["scrape_configs"]}
    (source, _) = yaml.safe_load(only(objects, "ConfigMap", "grafana")["data"]["datasources.yaml"])["datasources"]
    boards = {name: json.loads(text) for name, text in only(objects, "ConfigMap", "grafana-dashboards")["data"].items()}

    assert source["jsonData"]["timeInterval"] == configuration["global"]["scrape_interval"]
    assert "scrape_interval" not in jobs["model-api"]
    for name, board in boards.items():
        asked = [target for panel in board["panels"] for target in panel["targets"] if "expr" in target]
        gateway = jobs["gateway"]["scrape_interval"] if name == "gateway.json" else None
        assert {target.get("interval") for target in asked} == {gateway}, name


def test_prometheus_looks_at_its_rules_as_often_as_they_are_tested_for() -> None:
    """By itself it would once a minute, which is later than most of a rollout's steps last."""
    configuration = yaml.safe_load(only(render(), "ConfigMap", "prometheus")["data"]["prometheus.yml"])

    assert configuration["global"]["evaluation_interval"] == "5s"
    asked = only(render(prometheus={"evaluationInterval": "7s"}), "ConfigMap", "prometheus")["data"]["prometheus.yml"]
    assert yaml.safe_load(asked)["global"]["evaluation_interval"] == "7s"


def test_a_changed_configuration_restarts_prometheus() -> None:
    def noted(**values: Any) -> str:
        return str(only(render(**values), "Deployment", "prometheus")["spec"]["template"]["metadata"]["annotations"]["lab/config"])

    assert noted() == noted()
    assert noted() != noted(prometheus={"scrapeInterval": "5s"})


def test_what_kind_publishes_is_where_the_services_are() -> None:
    services = {one["metadata"]["name"]: one["spec"]["ports"][0].get("nodePort") for one in render() if one["kind"] == "Service"}

    assert services == {name: kind.NODE_PORTS[name] for name in ("prometheus", "grafana", "store", "database")}
    elsewhere = render(**{name: {"nodePort": None} for name in services})
    assert not any("nodePort" in one["spec"]["ports"][0] for one in elsewhere if one["kind"] == "Service")


def test_the_stores_credentials_are_never_the_same_twice() -> None:
    first, second = (only(render(), "Secret", "lab-store")["data"] for _ in range(2))

    assert set(first) == {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    assert all(first[key] != second[key] for key in first)


def test_the_databases_password_is_never_the_same_twice_and_is_the_one_in_its_url() -> None:
    first, second = (only(render(), "Secret", "lab-database")["data"] for _ in range(2))
    password, url = (base64.b64decode(first[key]).decode() for key in ("password", "url"))

    assert first["password"] != second["password"]
    assert url == f"postgresql://lab:{password}@database:5432/lab"
    # a URL takes these as they are
    assert password.isalnum()


def test_every_dashboard_and_every_rule_that_is_there_is_shipped_as_it_is(tmp_path: Path) -> None:
    """Both have braces of their own, which helm must not take for its templates."""
    chart, text = tmp_path / "lab", '{"expr": "{{ $value }} \\"x\\""}'
    shutil.copytree(CHARTS / "lab", chart)
    for path in (chart / "dashboards" / "new.json", chart / "rules" / "new.yaml"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    dashboards, rules = ({path.name: path.read_text() for path in chart.glob(pattern)} for pattern in ("dashboards/*.json", "rules/*.yaml"))

    objects = rendered(str(chart), "lab", {})

    assert only(objects, "ConfigMap", "grafana-dashboards")["data"] == dashboards
    assert only(objects, "ConfigMap", "prometheus-rules")["data"] == rules
    assert text in dashboards.values()
    assert text in rules.values()


def test_grafana_can_be_left_out() -> None:
    assert [one for one in render() if "grafana" in one["metadata"]["name"]]
    assert not [one for one in render(grafana={"enabled": False}) if "grafana" in one["metadata"]["name"]]


# --- who may reach what ------------------------------------------------------------------------------------------


def policies(**values: Any) -> dict[str, dict[str, Any]]:
    return {one["metadata"]["name"]: one["spec"] for one in render(**values) if one["kind"] == "NetworkPolicy"}


def test_every_pod_has_a_policy_of_its_own_for_both_directions() -> None:
    """Else a default deny would cut it off."""
    objects, found = render(), policies()
    labels = [one["spec"]["template"]["metadata"]["labels"] for one in objects if one["kind"] == "Deployment"]

    covering = {name for own in labels for name, spec in found.items() if spec["podSelector"]["matchLabels"].items() <= own.items()}

    assert covering == {"prometheus", "store", "database", "grafana"} == set(found)
    assert all(spec["policyTypes"] == ["Ingress", "Egress"] for spec in found.values())


@pytest.mark.parametrize(
    ("part", "port", "asked_by"),
    [
        ("store", 7070, {"model-api", "batch", "pages"}),
        ("database", 5432, {"model-api", "batch", "pages", "grafana"}),
        ("prometheus", 9090, {"grafana"}),
        ("grafana", 3000, set[str]()),
    ],
)
def test_a_part_is_reached_by_those_who_need_it_and_through_its_node_port(part: str, port: int, asked_by: set[str]) -> None:
    (rule,) = policies(networkPolicy={"outside": ["172.18.0.0/16"]})[part]["ingress"]
    pods_named = {one["podSelector"]["matchLabels"]["app.kubernetes.io/name"] for one in rule["from"] if "podSelector" in one}
    blocks = [one["ipBlock"]["cidr"] for one in rule["from"] if "ipBlock" in one]

    assert (pods_named, rule["ports"]) == (asked_by, [{"port": port}])
    assert blocks == ["172.18.0.0/16"]


@pytest.mark.parametrize("part", ["store", "database", "prometheus", "grafana"])
def test_without_a_node_port_nobody_comes_in_from_outside(part: str) -> None:
    rules = policies(**{part: {"nodePort": None}}, networkPolicy={"outside": ["172.18.0.0/16"]})[part]["ingress"]

    assert not any("ipBlock" in one for rule in rules for one in rule["from"])


def test_store_and_database_ask_nobody() -> None:
    assert policies()["store"]["egress"] == policies()["database"]["egress"] == []


def test_the_rest_of_the_namespace_is_closed_where_it_is_asked_for() -> None:
    closed = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}

    assert policies(networkPolicy={"defaultDeny": True})["lab-default-deny"] == closed
    assert policies(networkPolicy={"enabled": False, "defaultDeny": True}) == {}


@pytest.mark.parametrize("own", [True, False])
def test_labctl_closes_a_namespace_that_is_its_own(own: bool) -> None:
    settings = KubernetesSettings(cluster="lab", context="kind-lab")

    found = policies(**lab_release.values(settings, own=own, outside=("172.18.0.0/16",)))

    assert ("lab-default-deny" in found) is own
    assert {"ipBlock": {"cidr": "172.18.0.0/16"}} in found["store"]["ingress"][0]["from"]


@pytest.mark.parametrize(
    "values",
    [
        {"networkPolicy": {"outside": ["everybody"]}},
        {"networkPolicy": {"open": True}},
        {"prometheus": {"resources": {"requests": {"memory": "lots"}}}},
        {"store": {"resources": {"requests": None}}},
        {"databse": {}},
    ],
)
def test_nonsense_is_refused(values: dict[str, Any]) -> None:
    done = template("lab", "lab", values)

    assert done.returncode != 0
    assert "values don't meet the specifications" in done.stderr
