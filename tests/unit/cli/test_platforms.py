"""Which lab a command is about: what the flags of `labctl up` choose, and what is said to who may mean another lab."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from cli.beside import hint
from cli.platforms import choose
from strategies.errors import UsageError
from tests.unit.kubernetes.api_server import kubeconfig

PROJECT = Path(__file__).parents[3]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where labctl is started, with no setting of the tests' own."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("LAB_")]:
        monkeypatch.delenv(name)
    return tmp_path


@pytest.fixture
def port() -> Iterator[int]:
    """One on loopback at which somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield int(listening.getsockname()[1])


def labctl(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    own = {name: value for name, value in os.environ.items() if name != "KUBECONFIG"}
    return subprocess.run(
        [sys.executable, "-m", "cli", *words],
        env={**own, "PYTHONPATH": str(PROJECT), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_flags_of_up_win_over_the_environment_and_that_over_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "labctl.toml").write_text('node_image = "c"\nistio_overlay = "c"\ngrafana = "on"\n')
    monkeypatch.setenv("LAB_NODE_IMAGE", "b")
    monkeypatch.setenv("LAB_GRAFANA", "on")

    def chosen(**more: str) -> tuple[str, str, bool]:
        found = choose("kind", more=more).kubernetes
        assert found is not None
        return found.node_image, found.istio_overlay, found.grafana

    assert chosen() == ("b", "c", True)
    assert chosen(node_image="a", istio_overlay="a", grafana="off") == ("a", "a", False)


@pytest.mark.parametrize(("more", "wanted"), [({}, False), ({"grafana": "on"}, True), ({"grafana": "off"}, False)])
def test_grafana_beside_a_lab_on_this_machine_is_chosen_alike(
    folder: Path, monkeypatch: pytest.MonkeyPatch, more: Mapping[str, str], wanted: bool
) -> None:
    assert choose().grafana
    monkeypatch.setenv("LAB_GRAFANA", "off")

    assert choose(more=more).grafana == wanted


@pytest.mark.parametrize("platform", ["local", "kubernetes"])
def test_what_is_made_with_a_kind_cluster_cannot_be_told_of_another_lab(folder: Path, platform: str) -> None:
    with pytest.raises(UsageError, match="--node-image and --istio-overlay can be told of a kind cluster only"):
        choose(platform, "context" if platform == "kubernetes" else "", more={"node_image": "a", "istio_overlay": "b"})


def test_the_flags_are_those_of_up(folder: Path) -> None:
    done = labctl("up", "--node-image", "kindest/node:v1.35.0", "--no-grafana", "--istio-overlay", "more.yaml")

    assert done.returncode == 2
    assert "--node-image and --istio-overlay can be told of a kind cluster only; add --platform kind" in " ".join(done.stderr.split())


def leading_to(folder: Path, port: int) -> Path:
    """The kubeconfig of a kind cluster called lab."""
    file = kubeconfig(folder, port)
    file.write_text(file.read_text().replace(": test", ": kind-lab"))
    return file


def test_who_names_no_platform_hears_of_a_kind_cluster_that_runs(folder: Path, port: int) -> None:
    """Told by the kubeconfig and who listens there, so docker need not be asked."""
    several = os.pathsep.join((str(folder / "there-is-none"), str(leading_to(folder, port))))

    for command in ("status", "down"):
        done = labctl(command, KUBECONFIG=several, PATH="")
        assert done.returncode == 0
        assert " ".join(done.stderr.split()).endswith(f"the kind cluster lab runs too, see `labctl {command} --platform kind`")


@pytest.mark.parametrize("text", ["", "[]", "contexts: 1", "contexts: [{name: kind-lab}]", "\t", None])
def test_a_kubeconfig_that_tells_of_no_running_cluster_is_no_obstacle(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, text: str | None
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        ended = int(listening.getsockname()[1])
    file = leading_to(folder, ended)
    if text is not None:
        file.write_text(text)
    monkeypatch.setenv("KUBECONFIG", str(file))

    hint(choose(), "status")

    assert capsys.readouterr().err == ""


def test_who_says_which_lab_is_meant_hears_of_no_other(
    folder: Path, port: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(leading_to(folder, port)))
    hint(choose("local"), "status")
    monkeypatch.setenv("LAB_CLUSTER", "other")
    hint(choose(), "status")
    monkeypatch.setenv("LAB_CLUSTER", "lab")
    monkeypatch.setenv("LAB_PLATFORM", "local")
    hint(choose(), "status")
    assert capsys.readouterr().err == ""

    monkeypatch.delenv("LAB_PLATFORM")
    hint(choose(), "status")
    assert "the kind cluster lab runs too" in capsys.readouterr().err
