"""The API server's errors become sentences of the lab's own tree, and an outage that passes is no error."""

import re
from collections.abc import Iterator
from math import ceil
from pathlib import Path

import pytest

from cli.clock import SystemClock
from platforms.kubernetes.client import RETRY_EVERY, WORTH_TELLING, ApiRefused, Cluster
from platforms.ports import free_ports
from strategies.errors import CouldNotRun, ToolFailed
from tests.unit.kubernetes.api_server import ApiServer, api_server, kubeconfig

PATH = "/api/v1/namespaces/lab/configmaps/x"
BODY = {"metadata": {"name": "x"}}


@pytest.fixture
def api(tmp_path: Path) -> Iterator[tuple[ApiServer, Cluster]]:
    with api_server(tmp_path) as (server, config):
        cluster = Cluster("test", clock=SystemClock(), patience=20.0, kubeconfig=config)
        yield server, cluster
        cluster.close()


def test_what_is_not_there_is_none(api: tuple[ApiServer, Cluster]) -> None:
    _, cluster = api

    assert cluster.get(PATH) is None
    assert cluster.items("/api/v1/namespaces/lab/configmaps") == []
    cluster.delete(PATH)


def test_apply_says_who_writes_and_forces_only_if_asked_to(api: tuple[ApiServer, Cluster]) -> None:
    server, cluster = api

    cluster.apply(PATH, BODY)
    cluster.apply(PATH, BODY, force=True)

    asked = [query for method, query in server.requests if method == "PATCH"]
    assert asked == [{"fieldManager": ["labctl"], "force": ["false"]}, {"fieldManager": ["labctl"], "force": ["true"]}]
    assert cluster.get(PATH) == server.objects[PATH]


def test_a_refusal_is_told_in_the_servers_words(api: tuple[ApiServer, Cluster]) -> None:
    server, cluster = api
    server.refuse = (403, "configmaps is forbidden: bob may not")

    with pytest.raises(ApiRefused, match="configmaps is forbidden: bob may not") as refused:
        cluster.apply(PATH, BODY)

    assert refused.value.status == 403


def test_a_server_that_is_away_for_a_while_is_waited_for(api: tuple[ApiServer, Cluster]) -> None:
    server, cluster = api
    server.failures = 2

    cluster.apply(PATH, BODY)

    assert PATH in server.objects
    assert len(server.requests) == 3


def test_it_is_told_that_somebody_was_waited_for_if_it_took_long(api: tuple[ApiServer, Cluster], tmp_path: Path) -> None:
    server, _ = api
    notes: list[str] = []
    cluster = Cluster("test", clock=SystemClock(), patience=20.0, kubeconfig=tmp_path / "kubeconfig", note=notes.append)

    server.failures = 1
    cluster.get(PATH)
    assert notes == []

    server.failures = ceil(WORTH_TELLING / RETRY_EVERY) + 1
    cluster.get(PATH)
    (note,) = notes
    assert re.fullmatch(r"the cluster's API server did not answer for \d+ s, which were waited for", note)


def test_a_server_that_stays_away_is_told(tmp_path: Path) -> None:
    cluster = Cluster("test", clock=SystemClock(), patience=0.0, kubeconfig=kubeconfig(tmp_path, free_ports(1)[0]))

    with pytest.raises(ToolFailed, match="does not answer"):
        cluster.get(PATH)


def test_a_context_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CouldNotRun, match="kind-nowhere"):
        Cluster("kind-nowhere", clock=SystemClock(), patience=0.0, kubeconfig=kubeconfig(tmp_path, 1))
