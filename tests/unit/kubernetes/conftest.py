"""What several tests of the cluster's client share: an API server that is none, and a client of it that never waits."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.clock import SystemClock
from platforms.kubernetes.client import Cluster
from tests.unit.kubernetes.api_server import ApiServer, api_server


@pytest.fixture
def api(tmp_path: Path) -> Iterator[tuple[ApiServer, Cluster]]:
    with api_server(tmp_path) as (server, config):
        cluster = Cluster("test", clock=SystemClock(), patience=0.0, kubeconfig=config)
        yield server, cluster
        cluster.close()
