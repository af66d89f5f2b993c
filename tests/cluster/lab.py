"""A lab on a kind cluster of the tests' own, beside any other: its own name, ports and kubeconfig."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from typing import Any

from cli.clock import SystemClock
from platforms.kubernetes import kind
from platforms.kubernetes.tools import Tools
from platforms.ports import free_ports
from tests.cluster.verbs import Verbs
from tests.conftest import missing
from tests.starting import start_from

NAME = os.environ.get("LAB_TEST_CLUSTER", "lab-tests")
"""Of the cluster that all tests share."""
MINUTES = 60.0

Json = dict[str, Any]


class ClusterLab:
    """`labctl` and the tools as a person calls them, with everything that is found out about the cluster `name`.

    Attributes:
        environment: what leads them to the tests' cluster.
        gateway: where users' requests go in.
        prometheus: where Prometheus answers.
        models: where the model store answers.
    """

    def __init__(self, folder: Path, store: Path, name: str = NAME) -> None:
        gateway, prometheus, grafana, models, database = free_ports(5)
        self.name = name
        self.store = store
        self._labctl: tuple[str, ...] = (sys.executable, "-m", "cli")
        self.gateway, self.prometheus, self.models = (f"http://127.0.0.1:{port}" for port in (gateway, prometheus, models))
        self.environment = {
            **os.environ,
            "KUBECONFIG": str(folder / "kubeconfig"),
            "LAB_CLUSTER": name,
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

    @property
    def context(self) -> str:
        """The kubeconfig's context."""
        return f"kind-{self.name}"

    def elsewhere(self, folder: Path, *, trained: bool = False) -> "ClusterLab":
        """The same lab as labctl has it on another machine: under another host name, with nothing in its folders.

        Where the models were `trained` too, a rollout can be begun.
        """
        if not shutil.which("unshare"):
            missing("util-linux' unshare gives a process a host name of its own")
        other = copy(self)
        other.environment = self.environment | {"LAB_HOME": str(folder / "lab"), "LAB_RUNS": str(folder / "runs")}
        if not trained:
            other.environment |= {"LAB_STORE": str(folder / "models")}
        # who is root already needs no user namespace, which some systems forbid
        namespaces = ("--uts",) if os.geteuid() == 0 else ("--user", "--map-root-user", "--uts")
        other._labctl = ("unshare", *namespaces, "sh", "-c", 'hostname elsewhere && exec "$@"', "sh", *self._labctl)
        return other

    def up(self) -> None:
        """Have it up. One that was kept from before is reached on the ports that it was made with."""
        found = json.loads(self.labctl("up", "--replicas", "2", "--json").stdout)
        self.gateway, self.prometheus, self.models = found["gateway"], found["prometheus"], found["store"]

    def serve(self, replicas: int) -> None:
        """Have everybody served by `replicas` of v1 in blue and nothing else there, whatever a test has left."""
        if json.loads(self.labctl("status", "--json").stdout)["left_behind"]:
            self._run(*self._labctl, "abort")
        with self.verbs() as verbs, verbs.lease.held("a test", take_over=True) as held:
            start_from(verbs.platform(held, reclaim=True), replicas)

    @contextmanager
    def verbs(self, store: Path | None = None) -> Iterator[Verbs]:
        """The platform's verbs without labctl, for versions of `store` (or of the lab's own)."""
        verbs = Verbs(self.context, Path(self.environment["KUBECONFIG"]), store or self.store)
        try:
            yield verbs
        finally:
            verbs.close()

    def start(self, *command: str, **options: Any) -> subprocess.Popen[str]:
        """Start `labctl` and return; its lines come on stderr."""
        return subprocess.Popen([*self._labctl, *command], env=self.environment, stderr=subprocess.PIPE, text=True, **options)

    def labctl(self, *command: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run `labctl` to its end, which must be `code`."""
        done = self._run(*self._labctl, *command)
        assert done.returncode == code, f"{command} ended with {done.returncode}: {done.stdout}\n{done.stderr}"
        return done

    def tool(self, *command: str) -> str:
        """What a tool prints; it must not fail."""
        done = self._run(*command)
        assert done.returncode == 0, f"{command}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def kubectl(self, *command: str) -> str:
        """What kubectl prints about the lab's namespace."""
        return self.tool("kubectl", "--context", self.context, "--namespace", "lab", *command)

    def objects(self, kinds: str) -> list[Json]:
        """Everything of some kinds in the lab's namespace."""
        return list(json.loads(self.kubectl("get", kinds, "--output", "json"))["items"])

    def namespaces(self) -> set[str]:
        """The cluster's."""
        return set(
            self.tool("kubectl", "--context", self.context, "get", "namespaces", "--output", "name").replace("namespace/", "").split()
        )

    def containers(self) -> list[str]:
        """The nodes of the cluster."""
        return self.tool("docker", "ps", "--all", "--quiet", "--filter", f"label=io.x-k8s.kind.cluster={self.name}").split()

    def other_labs(self) -> tuple[str, ...]:
        """Nodes of labs that are not this one's."""
        return kind.others(Tools(SystemClock(), lambda _: None), self.name)

    def end(self) -> None:
        """Delete the cluster, whatever state it is in."""
        self._run("kind", "delete", "cluster", "--name", self.name)

    def _run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=20 * MINUTES, check=False)
