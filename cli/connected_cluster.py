"""The platform of a cluster, with the addresses of what users and witnesses ask."""

from functools import partial
from pathlib import Path
from typing import Any

from platforms.kubernetes import prediction_log
from platforms.kubernetes.client import Cluster
from platforms.kubernetes.platform import KubernetesPlatform
from platforms.kubernetes.settings import KubernetesSettings


class ConnectedCluster(KubernetesPlatform):
    """The verbs, and the addresses of gateway, Prometheus and prediction log."""

    def __init__(self, settings: KubernetesSettings, cluster: Cluster, **parts: Any) -> None:
        super().__init__(cluster, **parts)
        self.gateway = settings.gateway
        self.prometheus = settings.prometheus
        self._log_url = partial(prediction_log.url, cluster, settings)

    @property
    def prediction_log(self) -> str:
        """See `cli.labs.Connected`. It has a password, so it is asked for by those who read the log and kept by nobody else."""
        return self._log_url()

    def note_users(self, pid: int | None, log: Path = Path()) -> None:
        """See `cli.labs.Connected`. They end with the labctl that started them, and nothing on a cluster could find them."""
