"""A kind cluster of the tests' own, beside any other: its own name, ports and kubeconfig."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.clock import SystemClock
from platforms.kubernetes import kind
from platforms.kubernetes.tools import Tools
from platforms.local.ports import free_ports

NAME = "lab-up-down"
MINUTES = 60.0

Json = dict[str, Any]


class ClusterLab:
    """`labctl` and the tools as a person calls them, with everything that is found out about `NAME`.

    Attributes:
        environment: what leads them to the tests' cluster.
        gateway: where users' requests go in.
        prometheus: where Prometheus answers.
    """

    def __init__(self, folder: Path, store: Path) -> None:
        gateway, prometheus, grafana, models, database = free_ports(5)
        self.gateway, self.prometheus = f"http://127.0.0.1:{gateway}", f"http://127.0.0.1:{prometheus}"
        self.environment = {
            **os.environ,
            "KUBECONFIG": str(folder / "kubeconfig"),
            "LAB_CLUSTER": NAME,
            "LAB_DATABASE_PORT": str(database),
            "LAB_GATEWAY_PORT": str(gateway),
            "LAB_GRAFANA_PORT": str(grafana),
            "LAB_HOME": str(folder / "lab"),
            "LAB_PLATFORM": "kind",
            "LAB_PROMETHEUS_PORT": str(prometheus),
            "LAB_RUNS": str(folder / "runs"),
            "LAB_STORE": str(store),
            "LAB_STORE_PORT": str(models),
        }

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Start `labctl` and return; its lines come on stderr."""
        return subprocess.Popen([sys.executable, "-m", "cli", *command], env=self.environment, stderr=subprocess.PIPE, text=True)

    def labctl(self, *command: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run `labctl` to its end, which must be `code`."""
        done = self._run(sys.executable, "-m", "cli", *command)
        assert done.returncode == code, f"{command} ended with {done.returncode}: {done.stdout}\n{done.stderr}"
        return done

    def tool(self, *command: str) -> str:
        """What a tool prints; it must not fail."""
        done = self._run(*command)
        assert done.returncode == 0, f"{command}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def objects(self, kinds: str) -> list[Json]:
        """Everything of some kinds in the lab's namespace."""
        return list(
            json.loads(self.tool("kubectl", "--context", f"kind-{NAME}", "--namespace", "lab", "get", kinds, "-o", "json"))["items"]
        )

    def namespaces(self) -> set[str]:
        """The cluster's."""
        return set(
            self.tool("kubectl", "--context", f"kind-{NAME}", "get", "namespaces", "--output", "name").replace("namespace/", "").split()
        )

    def containers(self) -> list[str]:
        """The nodes of the cluster."""
        return self.tool("docker", "ps", "--all", "--quiet", "--filter", f"label=io.x-k8s.kind.cluster={NAME}").split()

    def other_labs(self) -> tuple[str, ...]:
        """Nodes of labs that are not the tests'."""
        return kind.others(Tools(SystemClock(), lambda _: None), NAME)

    def end(self) -> None:
        """Delete the cluster, whatever state it is in."""
        self._run("kind", "delete", "cluster", "--name", NAME)

    def _run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=20 * MINUTES, check=False)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, store: Path) -> Iterator[ClusterLab]:
    """Nothing is up at first, and nothing afterwards."""
    lab = ClusterLab(tmp_path_factory.mktemp("cluster"), store)
    lab.end()
    yield lab
    lab.end()
    assert lab.containers() == []
