"""Envoy's admin endpoint: what the proxy itself says about its routes, its endpoints and what is in flight."""

from typing import Any

import httpx
import msgspec

from platforms.local.envoy_config import traffic_of
from strategies.errors import ToolFailed
from strategies.traffic import Slot, Traffic

NO_KEEP_ALIVE = httpx.Limits(max_keepalive_connections=0)
"""Questions are few and to loopback: a connection each leaves none behind that somebody would have to close."""


class Host(msgspec.Struct, frozen=True):
    """An endpoint as Envoy sees it: `healthy` means that it would be sent requests; `in_flight` were and are not answered."""

    slot: Slot
    port: int
    healthy: bool
    in_flight: int


class EnvoyAdmin:
    """Questions to the admin endpoint on loopback.

    Every method raises ToolFailed if Envoy does not answer.
    """

    def __init__(self, port: int) -> None:
        # the machine's proxy settings are not for loopback
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=2.0, trust_env=False, limits=NO_KEEP_ALIVE)

    def ready(self) -> bool:
        """Whether Envoy serves; False also while it does not listen yet."""
        try:
            return self._client.get("/ready").status_code == 200
        except httpx.TransportError:
            return False

    def routes_version(self) -> str:
        """The version of the routes that Envoy uses; empty before the first."""
        dump = self._json("/config_dump", resource="dynamic_route_configs")
        return next((str(config.get("version_info", "")) for config in dump.get("configs", [])), "")

    def traffic(self) -> Traffic | None:
        """The traffic that Envoy's routes stand for; None before the first."""
        return traffic_of(self.routes_version())

    def rejections(self) -> int:
        """How many updates of routes Envoy has refused so far."""
        stats = self._json("/stats", format="json", filter=r"^http\.gateway\.rds\.gateway\.update_rejected$")["stats"]
        return sum(int(stat.get("value", 0)) for stat in stats)

    def hosts(self) -> tuple[Host, ...]:
        """All endpoints of all slots."""
        return tuple(
            Host(
                slot=Slot(cluster["name"]),
                port=int(host["address"]["socket_address"]["port_value"]),
                # an endpoint that waits for its first health check or failed the last one has a flag beside EDS' own word
                healthy=set(host["health_status"]) <= {"eds_health_status"},
                in_flight=sum(int(stat.get("value", 0)) for stat in host["stats"] if stat.get("name") == "rq_active"),
            )
            for cluster in self._json("/clusters", format="json")["cluster_statuses"]
            for host in cluster.get("host_statuses", [])
        )

    def _json(self, path: str, **parameters: str) -> dict[str, Any]:
        try:
            answer = self._client.get(path, params=parameters)
            answer.raise_for_status()
            return dict(answer.json())
        except (httpx.HTTPError, ValueError) as error:
            raise ToolFailed(f"the proxy's admin endpoint does not answer on {self._client.base_url} ({error})") from error
