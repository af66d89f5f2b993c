"""Settings of a lab on a cluster: who wins, and what is refused."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from platforms.kubernetes.settings import KubernetesSettings, Ports, Sources, cluster_settings, kind_settings
from strategies.errors import UsageError

MISSING = Path("there-is-none.toml")


def on_kind(flags: Mapping[str, str] = {}, environment: Mapping[str, str] = {}, file: Path = MISSING) -> KubernetesSettings:
    return kind_settings(Sources(flags, environment, file))


def test_kind_needs_no_settings() -> None:
    found = on_kind()

    assert (found.cluster, found.context, found.namespace) == ("lab", "kind-lab", "lab")
    assert (found.gateway, found.prometheus) == ("http://127.0.0.1:8080", "http://127.0.0.1:9090")
    assert found.grafana


def test_a_flag_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "labctl.toml"
    file.write_text('namespace = "c"\nnode_image = "c"\ngrafana = false\ngateway_port = 1234\n')

    found = on_kind({"namespace": "a"}, {"LAB_NAMESPACE": "b", "LAB_NODE_IMAGE": "b"}, file)

    assert (found.namespace, found.node_image, found.grafana, found.ports) == ("a", "b", False, Ports(gateway=1234))


def test_an_empty_variable_is_none() -> None:
    assert on_kind(environment={"LAB_CLUSTER": "", "LAB_GATEWAY_PORT": ""}) == on_kind()


def test_the_database_of_a_cluster_that_is_not_ours_is_where_it_is_said_to_be() -> None:
    def elsewhere(**environment: str) -> str:
        return cluster_settings(Sources({"context": "prod"}, environment, MISSING)).database

    assert on_kind(environment={"LAB_DATABASE_PORT": "6000"}).database == "127.0.0.1:6000"
    assert elsewhere() == ""
    assert elsewhere(LAB_DATABASE_ADDRESS="db.example:5432") == "db.example:5432"
    with pytest.raises(UsageError, match=r"LAB_DATABASE_ADDRESS is 'db\.example'; give host:port"):
        elsewhere(LAB_DATABASE_ADDRESS="db.example")


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"LAB_GATEWAY_PORT": "eighty"}, "LAB_GATEWAY_PORT"),
        ({"LAB_STORE_PORT": "70000"}, "LAB_STORE_PORT"),
        ({"LAB_GRAFANA": "maybe"}, "LAB_GRAFANA"),
        ({"LAB_NAMESPACE": "Lab"}, "namespace"),
        ({"LAB_CLUSTER": "a/b"}, "cluster"),
        ({"LAB_CONTEXT": "production"}, "kind-lab"),
    ],
    ids=str,
)
def test_nonsense_is_refused_by_name(environment: Mapping[str, str], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        on_kind(environment=environment)


def test_a_file_that_is_no_toml_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "labctl.toml"
    file.write_text("namespace: lab\n")

    with pytest.raises(UsageError, match=r"labctl\.toml"):
        on_kind(file=file)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('grafna = "off"', "sets grafna, which is no setting; the nearest one is grafana"),
        ('LAB_NODE_IMAGE = "x"', "sets LAB_NODE_IMAGE, which is no setting; the nearest one is node_image"),
        ("gatewayport = 80", "the nearest one is gateway_port"),
        ("[kind]", "sets kind, which is no setting; a setting is one of platform, cluster, context, namespace"),
    ],
)
def test_a_setting_that_nobody_reads_is_refused_and_the_nearest_one_named(tmp_path: Path, line: str, told: str) -> None:
    file = tmp_path / "labctl.toml"
    file.write_text(f"{line}\n")

    with pytest.raises(UsageError, match=f"labctl.toml.*{told}"):
        on_kind(file=file)


def test_every_setting_may_stand_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "labctl.toml"
    file.write_text(
        'platform = "kind"\ncluster = "a"\nnamespace = "b"\nimage = "c:1"\nbase_image = "d"\nnode_image = "e"\nistio_overlay = "f"\n'
        'grafana = "off"\ngateway_url = "http://g"\nprometheus_url = "http://h"\ndatabase_address = "i:1"\n'
        "gateway_port = 1\nprometheus_port = 2\ngrafana_port = 3\nstore_port = 4\ndatabase_port = 5\n"
    )

    assert on_kind(file=file) == KubernetesSettings(
        cluster="a",
        context="kind-a",
        namespace="b",
        image="c:1",
        base_image="d",
        node_image="e",
        istio_overlay="f",
        grafana=False,
        gateway_url="http://g",
        prometheus_url="http://h",
        database_address="i:1",
        ports=Ports(gateway=1, prometheus=2, grafana=3, store=4, database=5),
    )


def test_a_cluster_of_somebody_else_is_only_used_by_name() -> None:
    """Never the context that happens to be the current one."""
    with pytest.raises(UsageError, match="--context"):
        cluster_settings(Sources({}, {}, MISSING))
    found = cluster_settings(Sources({"context": "theirs"}, {"LAB_GATEWAY_URL": "http://gateway.test/"}, MISSING))

    assert (found.cluster, found.context, found.gateway) == ("", "theirs", "http://gateway.test")


def test_where_a_cluster_of_somebody_else_is_reached_is_never_guessed() -> None:
    """A port of this machine may be that of another lab."""

    def found(**environment: str) -> KubernetesSettings:
        return cluster_settings(Sources({"context": "theirs"}, environment, MISSING))

    assert (found().gateway, found().prometheus) == ("", "")
    with pytest.raises(UsageError, match=r"^theirs is no cluster of ours, so set LAB_GATEWAY_URL and LAB_PROMETHEUS_URL: "):
        found(LAB_GATEWAY_PORT="8080").require_addresses()
    with pytest.raises(UsageError, match="so set LAB_PROMETHEUS_URL: "):
        found(LAB_GATEWAY_URL="http://gateway.test").require_addresses()
    found(LAB_GATEWAY_URL="http://gateway.test", LAB_PROMETHEUS_URL="http://prometheus.test").require_addresses()
    on_kind().require_addresses()
