"""What is told to kind, and what is known of an image."""

from pathlib import Path

import pytest
import yaml

from platforms.kubernetes import image, kind
from platforms.kubernetes.settings import PROJECT, Ports
from strategies.errors import CouldNotRun

TEXT = (PROJECT / "kind-config.yaml").read_text(encoding="utf-8")


def mappings(text: str) -> dict[int, tuple[int, str]]:
    (node,) = yaml.safe_load(text)["nodes"]
    return {one["containerPort"]: (one["hostPort"], one["listenAddress"]) for one in node["extraPortMappings"]}


def test_every_part_is_published_where_it_is_wanted_and_on_loopback_only() -> None:
    found = mappings(kind.config(TEXT, Ports(gateway=1, prometheus=2, grafana=3, store=4, database=5)))

    assert found == {port: (host, "127.0.0.1") for host, port in enumerate((30080, 30090, 30030, 30070, 30432), start=1)}


def test_ports_may_change_places() -> None:
    """9090 for the gateway must not become what stands for Prometheus."""
    found = mappings(kind.config(TEXT, Ports(gateway=9090, prometheus=8080)))

    assert (found[30080][0], found[30090][0]) == (9090, 8080)


def test_a_file_without_a_place_for_a_port_is_refused() -> None:
    with pytest.raises(CouldNotRun, match="hostPort: 8080"):
        kind.config(TEXT.replace("hostPort: 8080", "hostPort: 1"), Ports())


@pytest.mark.parametrize(
    ("short", "full"),
    [
        ("model-api:1", "docker.io/library/model-api:1"),
        ("prom/prometheus:v3", "docker.io/prom/prometheus:v3"),
        ("docker.io/istio/pilot:1", "docker.io/istio/pilot:1"),
        ("registry.test:5000/model-api:1", "registry.test:5000/model-api:1"),
        ("localhost/model-api:1", "localhost/model-api:1"),
    ],
)
def test_a_node_knows_images_by_their_full_names(short: str, full: str) -> None:
    assert kind.full_name(short) == full


def test_an_image_is_named_by_all_that_goes_into_it(tmp_path: Path) -> None:
    (tmp_path / "app" / "__pycache__").mkdir(parents=True)
    (tmp_path / ".dockerignore").write_text("*")
    (tmp_path / "app" / "api.py").write_text("1")
    tag = image.tag(tmp_path, "")

    (tmp_path / "app" / "__pycache__" / "api.pyc").write_text("x")
    (tmp_path / "README.md").write_text("x")
    assert image.tag(tmp_path, "") == tag
    assert image.tag(tmp_path, "python:3.14") != tag
    (tmp_path / "app" / "api.py").write_text("2")
    assert image.tag(tmp_path, "") != tag
