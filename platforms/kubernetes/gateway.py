"""The gateway's own word: which routes it has, whom it would send requests to, and what is in flight.

The API server tells what was asked for; only the proxy tells what users get. Its Envoy's admin endpoint
listens on loopback in its pod, so it is asked through the API server.
"""

import json
from collections.abc import Callable
from http.client import HTTPException
from typing import Any

import msgspec

from platforms.kubernetes.client import RETRY_EVERY, WORTH_TELLING, Cluster
from platforms.kubernetes.routes import PORT, service_host
from platforms.kubernetes.tunnel import PodConnection
from strategies.errors import ToolFailed
from strategies.traffic import Slot
from strategies.waiting import Clock

ADMIN_PORT = 15000
GATEWAY_NAMESPACE = "istio-system"
GATEWAY_LABELS = "istio=ingressgateway"


class Host(msgspec.Struct, frozen=True):
    """A replica as the gateway sees it.

    `address` is "podIP:port"; `healthy` means that it would be sent requests; `in_flight` were and are not answered.
    """

    slot: Slot
    address: str
    healthy: bool
    in_flight: int


class Gateway:
    """All pods of the ingress gateway, asked as one, about the slots in `namespace`.

    Every method raises ToolFailed if a pod does not answer within `patience` seconds. `note` takes a sentence about each time
    that one was waited for.
    """

    def __init__(
        self, cluster: Cluster, namespace: str, *, clock: Clock, patience: float, note: Callable[[str], None] = lambda _: None
    ) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._clock = clock
        self._patience = patience
        self._note = note
        self._connections: dict[str, PodConnection] = {}

    def has_routes(self, names: frozenset[str]) -> bool:
        """Whether every pod has all routes of these names."""
        return all(names <= route_names(dump) for dump in self._ask("/config_dump?resource=dynamic_route_configs"))

    def hosts(self) -> tuple[Host, ...]:
        """The replicas of all slots; one is healthy if all pods find it so, and what is in flight is the sum."""
        found: dict[str, list[Host]] = {}
        answers = self._ask("/clusters?format=json")
        for answer in answers:
            for host in hosts(answer, self._namespace):
                found.setdefault(host.address, []).append(host)
        return tuple(
            Host(
                slot=seen[0].slot,
                address=address,
                healthy=len(seen) == len(answers) and all(host.healthy for host in seen),
                in_flight=sum(host.in_flight for host in seen),
            )
            for address, seen in found.items()
        )

    def close(self) -> None:
        """End the connections."""
        while self._connections:
            self._connections.popitem()[1].close()

    def _ask(self, path: str) -> list[dict[str, Any]]:
        """The answer of each pod. A gateway that restarts is waited for, with its new name."""
        began, obstacle = self._clock.monotonic(), ""
        while True:
            try:
                answers = [self._answer(pod, path) for pod in self._pods()]
            except (OSError, HTTPException, ValueError) as error:
                self.close()
                obstacle = str(error) or type(error).__name__
                if self._clock.monotonic() >= began + self._patience:
                    raise ToolFailed(f"the gateway cannot be asked what it does ({obstacle})") from error
                self._clock.sleep(RETRY_EVERY)
            else:
                waited = self._clock.monotonic() - began
                if obstacle and waited >= WORTH_TELLING:
                    self._note(f"the gateway could not be asked for {waited:.0f} s, which were waited for ({obstacle})")
                return answers

    def _answer(self, pod: str, path: str) -> dict[str, Any]:
        if pod not in self._connections:
            self._connections[pod] = PodConnection(self._cluster, GATEWAY_NAMESPACE, pod, ADMIN_PORT)
        connection = self._connections[pod]
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
        if response.status != 200:
            raise HTTPException(f"{pod} answers {response.status}")
        return dict(json.loads(body))

    def _pods(self) -> list[str]:
        pods = self._cluster.items(f"/api/v1/namespaces/{GATEWAY_NAMESPACE}/pods", labelSelector=GATEWAY_LABELS)
        serving = [pod["metadata"]["name"] for pod in pods if _serves(pod)]
        if not serving:
            raise ConnectionError(f"no ready pod with {GATEWAY_LABELS} in {GATEWAY_NAMESPACE}")
        return serving


def route_names(dump: dict[str, Any]) -> frozenset[str]:
    """The names of all routes in Envoy's dump of its route configurations."""
    return frozenset(
        str(route.get("name", ""))
        for configuration in dump.get("configs", [])
        for host in configuration.get("route_config", {}).get("virtual_hosts", [])
        for route in host.get("routes", [])
    )


def hosts(clusters: dict[str, Any], namespace: str) -> tuple[Host, ...]:
    """The replicas of the slots in Envoy's list of its clusters, which Istio names "outbound|port|subset|host"."""
    slots = {f"outbound|{PORT}||{service_host(slot, namespace)}": slot for slot in Slot}
    found = []
    for cluster in clusters.get("cluster_statuses", []):
        slot = slots.get(cluster["name"])
        if slot is None:
            continue
        for host in cluster.get("host_statuses", []):
            address = host["address"]["socket_address"]
            health = host.get("health_status", {})
            found.append(
                Host(
                    slot=slot,
                    address=f"{address['address']}:{address['port_value']}",
                    # a host that failed a check or is being drained has a flag beside the word that Istio sent
                    healthy=set(health) <= {"eds_health_status"} and health.get("eds_health_status", "HEALTHY") == "HEALTHY",
                    in_flight=sum(int(stat.get("value", 0)) for stat in host.get("stats", []) if stat.get("name") == "rq_active"),
                )
            )
    return tuple(found)


def _serves(pod: dict[str, Any]) -> bool:
    if pod["metadata"].get("deletionTimestamp"):
        return False
    conditions = pod.get("status", {}).get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)
