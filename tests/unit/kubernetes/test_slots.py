"""A slot runs when the pods that live are those of its release, whatever has ended beside them, and is not stopped under anybody."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.clock import SystemClock
from platforms.kubernetes.client import Cluster
from platforms.kubernetes.gateway import Gateway, Host
from platforms.kubernetes.helm import Helm
from platforms.kubernetes.ownership import OwnedRoutes
from platforms.kubernetes.platform import KubernetesPlatform
from strategies.errors import NotReady, RouteRefused
from strategies.plan import Release
from strategies.traffic import Slot, Traffic
from tests.unit.kubernetes.api_server import ApiServer, api_server
from tests.unit.kubernetes.helm_program import WRITES, FakeHelm
from tests.unit.kubernetes.test_pods import EVICTED

GREEN = Slot.GREEN
PODS = "/api/v1/namespaces/lab/pods"
DEPLOYMENT = "/apis/apps/v1/namespaces/lab/deployments/model-api-green"
CLAIMS = "/apis/networking.istio.io/v1/virtualservices"

Json = dict[str, Any]


class Seeing(Gateway):
    """A gateway that finds these replicas of green healthy, and takes any routes."""

    def __init__(self, *addresses: str) -> None:
        self._found = tuple(Host(GREEN, address, healthy=True, in_flight=0) for address in addresses)

    def hosts(self) -> tuple[Host, ...]:
        return self._found

    def has_routes(self, names: frozenset[str]) -> bool:
        return bool(names)


class Slots:
    """A platform on a small API server, with a `helm` that does nothing."""

    def __init__(self, server: ApiServer, cluster: Cluster, helm: FakeHelm) -> None:
        self.server = server
        self.helm = helm
        self._cluster = cluster
        self.routes = OwnedRoutes(cluster, "lab", held=None, note=print, reclaim=False)

    def has(self, name: str, pod: Json) -> None:
        """There is a pod of green."""
        metadata = {**pod["metadata"], "name": name, "uid": name}
        self.server.objects[f"{PODS}/{name}"] = {**pod, "metadata": metadata}

    def platform(self, *addresses: str) -> KubernetesPlatform:
        """One whose gateway finds these replicas healthy; its verbs have a second."""
        return KubernetesPlatform(
            self._cluster,
            namespace="lab",
            helm=Helm("test", "lab", digest=str, extra={}, held=None),
            gateway=Seeing(*addresses),
            owned=self.routes,
            held=None,
            clock=SystemClock(),
            timeout=1.0,
        )


def ready(address: str) -> Json:
    """A replica of v2 that passes its probes."""
    status = {"phase": "Running", "podIP": address, "conditions": [{"type": "Ready", "status": "True"}]}
    return {"metadata": {"labels": {"lab/version": "v2"}}, "status": status}


@pytest.fixture
def slots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Slots]:
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with api_server(tmp_path) as (server, config):
        cluster = Cluster("test", clock=SystemClock(), patience=0.0, kubeconfig=config)
        template = {"metadata": {"labels": {"lab/version": "v2"}}}
        server.objects[DEPLOYMENT] = {"metadata": {"name": "model-api-green"}, "spec": {"replicas": 2, "template": template}}
        yield Slots(server, cluster, FakeHelm(tmp_path))
        cluster.close()


def test_a_pod_that_was_evicted_before_does_not_keep_a_deployment_from_being_ready(slots: Slots) -> None:
    slots.has("one", ready("10.0.0.1"))
    slots.has("two", ready("10.0.0.2"))
    slots.has("evicted", EVICTED)

    slots.platform("10.0.0.1:8000", "10.0.0.2:8000").deploy(GREEN, Release(version="v2", replicas=2))

    assert slots.helm.asked()[-1] == "upgrade"


def test_where_a_pod_is_missing_it_is_told_why_the_last_one_ended(slots: Slots) -> None:
    slots.has("one", ready("10.0.0.1"))
    slots.has("evicted", EVICTED)

    with pytest.raises(
        NotReady, match=r"v2 in green has 1 of 2 pods; 1 of its pods has ended before, the last with Evicted: The node was low"
    ):
        slots.platform("10.0.0.1:8000").deploy(GREEN, Release(version="v2", replicas=2))


def test_a_slot_is_not_stopped_while_somebody_elses_routes_send_users_there(slots: Slots) -> None:
    slots.routes.write(Traffic(stable=Slot.BLUE))
    route = {"route": [{"destination": {"host": "model-api-green.lab.svc.cluster.local"}}]}
    rival = {"metadata": {"name": "rival", "namespace": "else"}, "spec": {"gateways": ["lab/lab"], "http": [route]}}
    slots.server.objects[f"{CLAIMS}/rival"] = rival

    with pytest.raises(RouteRefused, match=r"else/rival, .*, sends users to green, which is not stopped under them"):
        slots.platform().retire(GREEN)
    assert WRITES.isdisjoint(slots.helm.asked())

    del slots.server.objects[f"{CLAIMS}/rival"]
    slots.has("evicted", EVICTED)
    slots.platform().retire(GREEN)
    assert slots.helm.asked() == ["uninstall"]


def test_no_rollout_begins_while_somebody_else_claims_the_gateways_requests(slots: Slots) -> None:
    platform = slots.platform()
    slots.routes.write(Traffic(stable=Slot.BLUE))
    platform.claim()
    platform.require_own_routes()
    slots.server.objects[f"{CLAIMS}/rival"] = {"metadata": {"name": "rival", "namespace": "else"}, "spec": {"gateways": ["lab/lab"]}}

    for ask in (platform.claim, platform.require_own_routes, platform.instances):
        with pytest.raises(RouteRefused, match=r"the VirtualService else/rival, written by .*, claims the gateway's requests too"):
            ask()
