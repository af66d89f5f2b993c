"""The platform's verbs on a cluster as a labctl has them, for tests that ask for one verb and not for a rollout."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cli.clock import SystemClock
from platforms.kubernetes.client import Cluster
from platforms.kubernetes.gateway import Gateway
from platforms.kubernetes.held import Held
from platforms.kubernetes.helm import Helm
from platforms.kubernetes.lease import Lease
from platforms.kubernetes.ownership import OwnedRoutes
from platforms.kubernetes.platform import KubernetesPlatform
from strategies.waiting import Clock

NAMESPACE = "lab"
PATIENCE = 30.0
TIMEOUT = 120.0


class Verbs:
    """What a platform is made of: one connection to the cluster of `context`, one to its gateway.

    Attributes:
        cluster: the API server.
        lease: what is held while verbs are used.
    """

    def __init__(self, context: str, kubeconfig: Path, store: Path) -> None:
        self._context = context
        self._kubeconfig = kubeconfig
        self._store = store
        self._clock = SystemClock()
        self.cluster = Cluster(context, clock=self._clock, patience=PATIENCE, kubeconfig=kubeconfig)
        self.lease = Lease(self.cluster, NAMESPACE, clock=self._clock)
        self._gateway = Gateway(self.cluster, NAMESPACE, clock=self._clock, patience=PATIENCE)

    def platform(
        self,
        held: Held,
        *,
        clock: Clock | None = None,
        timeout: float = TIMEOUT,
        extra: Mapping[str, Any] | None = None,
        reclaim: bool = False,
    ) -> KubernetesPlatform:
        """The platform; `extra` are values of its releases beside the version."""
        return KubernetesPlatform(
            self.cluster,
            namespace=NAMESPACE,
            helm=Helm(self._context, NAMESPACE, digest=self._digest, extra=extra or {}, held=held, kubeconfig=self._kubeconfig),
            gateway=self._gateway,
            owned=OwnedRoutes(self.cluster, NAMESPACE, held=held, note=print, reclaim=reclaim),
            held=held,
            clock=clock or self._clock,
            timeout=timeout,
        )

    def close(self) -> None:
        """End the connections."""
        self._gateway.close()
        self.cluster.close()

    def _digest(self, version: str) -> str:
        return str(json.loads((self._store / version / "model.json").read_text())["sha256"])
