"""The contract's lab on a cluster: what a test may do to its pods that a rollout may not."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from app.stores.opening import open_store
from platforms.kubernetes import pods
from platforms.kubernetes.lease import Held
from platforms.kubernetes.model_store import REGION, SECRET, URL
from platforms.kubernetes.platform import KubernetesPlatform
from platforms.kubernetes.routes import release_name
from strategies.traffic import Slot
from strategies.waiting import Clock
from tests.cluster.lab import ClusterLab
from tests.cluster.verbs import NAMESPACE, Verbs
from tests.contract.backend import TAMPERED, Backend

Json = dict[str, Any]


class ClusterBackend:
    """Pods on a node of kind's. `held` is the lease under which all that connect write."""

    noticed = 10.0

    def __init__(self, lab: ClusterLab, verbs: Verbs, held: Held) -> None:
        self.url = lab.gateway
        self._lab = lab
        self._verbs = verbs
        self._held = held
        # without it a release would go on with that of the one beside it
        self._extra: Json = {"extraEnv": []}

    def connect(self, clock: Clock | None = None) -> KubernetesPlatform:
        """See `Backend`."""
        return self._verbs.platform(self._held, clock=clock, extra=self._extra)

    def replicas(self, slot: Slot) -> frozenset[str]:
        """See `Backend`. A container that was started anew in its pod is another one."""
        return frozenset(f"{pod['metadata']['name']} {_container(pod)}" for pod in self._pods(slot))

    def kill(self, slot: Slot) -> None:
        """See `Backend`. The kubelet starts it again in its pod."""
        running = [_container(pod) for pod in self._pods(slot) if pods.ready(pod)]
        for container in running[:1]:
            # the runtime is told, as the API server can only ask politely
            kill = ("ctr", "--namespace", "k8s.io", "tasks", "kill", "--signal", "SIGKILL", container)
            self._lab.tool("docker", "exec", f"{self._lab.name}-control-plane", *kill)

    def clear(self, slot: Slot) -> None:
        """See `Backend`."""
        if not self._pods(slot):
            return
        self._lab.kubectl("delete", "deployment", release_name(slot), "--ignore-not-found", "--wait=false")
        at_once = ("--grace-period=0", "--force", "--wait=false")
        self._lab.kubectl("delete", "pods", "--selector", f"app.kubernetes.io/instance={release_name(slot)}", *at_once)

    @contextmanager
    def slowed(self, seconds: float) -> Iterator[None]:
        """See `Backend`."""
        self._extra["extraEnv"] = [{"name": "MODEL_API_LATENCY_SECONDS", "value": str(seconds)}]
        try:
            yield
        finally:
            self._extra["extraEnv"] = []

    def _pods(self, slot: Slot) -> list[Json]:
        path = f"/api/v1/namespaces/{NAMESPACE}/pods"
        return self._verbs.cluster.items(path, labelSelector=f"app.kubernetes.io/instance={release_name(slot)}")


@contextmanager
def cluster_backend(lab: ClusterLab, store: Path) -> Iterator[Backend]:
    """A lab whose model store has what `store` has."""
    with lab.verbs(store) as verbs, verbs.lease.held("the contract", take_over=True) as held:
        _publish_tampered(lab, verbs, store)
        yield ClusterBackend(lab, verbs, held)


def _publish_tampered(lab: ClusterLab, verbs: Verbs, store: Path) -> None:
    """Write it past the store's own program, which publishes nothing but what its card tells of."""
    secret = verbs.cluster.get(f"/api/v1/namespaces/{NAMESPACE}/secrets/{SECRET}")
    assert secret
    card = json.loads((store / TAMPERED / "model.json").read_text()) | {"version": TAMPERED}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in secret["data"].items():
            patch.setenv(name, base64.b64decode(value).decode())
        patch.setenv("AWS_ENDPOINT_URL", lab.models)
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        files, root = open_store(URL)
        files.pipe_file(f"{root}/{TAMPERED}/{card['sha256']}.joblib", (store / TAMPERED / "model.joblib").read_bytes())
        files.pipe_file(f"{root}/{TAMPERED}/model.json", json.dumps(card).encode())


def _container(pod: Json) -> str:
    """The runtime's name of the server's container; empty before it was made."""
    statuses = pod.get("status", {}).get("containerStatuses", [])
    return next((str(status.get("containerID", "")).partition("://")[2] for status in statuses), "")
