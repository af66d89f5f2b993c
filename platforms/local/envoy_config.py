"""Envoy's configuration, rendered by pure functions: the same road as Istio's data plane, because it is the same proxy.

Listener and clusters are static; only routes (RDS) and endpoints (EDS) change, in watched files that are replaced by
rename. What each setting prevents:

- a cluster per slot, no subsets: a change of weights never rewrites who the endpoints are;
- `x-lab-slot` is set by the route's destination, so the proxy's own 503 or timeout is charged to the slot it was meant for;
- at most one retry, on connect-failure and refused-stream only: nothing that a replica may have processed is sent twice;
- a route timeout below the users' own, so that a hanging candidate answers (504) under its name;
- no outlier ejection and no panic routing: a bad candidate stays visible, an unready replica gets nothing;
- upstream connections idle for less than the server's keep-alive: no request on a connection that is being closed;
- removed endpoints go at once (`ignore_health_on_host_removal`), though they still pass their health checks.
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from platforms.rules import COPIED_PATHS, SHADOW_HOST, cookie_pattern, forget_sticky, header_of, set_sticky, sticky_cookie
from strategies.traffic import PREVIEW_HEADER, Slot, Traffic
from strategies.userlog import SLOT_HEADER

ROUTE_TIMEOUT = 4.0
"""Seconds; below the users' own timeout."""
UPSTREAM_IDLE = 30.0
"""Seconds; below the model API's keep-alive of 75 s."""

_TYPE = "type.googleapis.com/envoy."
Json = dict[str, Any]


def bootstrap(folder: Path, *, gateway_port: int, admin_port: int) -> Json:
    """The static part: one listener on loopback, a cluster per slot, the admin endpoint."""
    manager = {
        "@type": f"{_TYPE}extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "gateway",
        "rds": {"route_config_name": "gateway", "config_source": _watched(folder / "routes.json")},
        # the users' own id is what joins their log with the servers' records
        "preserve_external_request_id": True,
        "http_filters": [
            {"name": "envoy.filters.http.router", "typed_config": {"@type": f"{_TYPE}extensions.filters.http.router.v3.Router"}}
        ],
    }
    listener = {
        "name": "gateway",
        "address": _address(gateway_port),
        "filter_chains": [{"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}],
    }
    return {
        "node": {"id": "lab", "cluster": "lab"},
        "admin": {"address": _address(admin_port)},
        "static_resources": {"listeners": [listener], "clusters": [_cluster(slot, folder) for slot in Slot]},
    }


def no_routes() -> Json:
    """RDS before the first deployment: nobody is there to answer."""
    return _route_configuration("none", [])


def routes(traffic: Traffic) -> Json:
    """RDS: who gets a request. Its version tells the traffic, so that Envoy itself can be asked which one it has."""
    version = f"{traffic.stable}/{traffic.weight}/{time.time_ns()}/{msgspec.json.encode(traffic).decode()}"
    # Envoy takes routes over, and shows their version, only if they differ from those it has: promotion moves no request
    rules = [_refusal(), *_to_candidate(traffic), *_sticky(traffic), *_shared(traffic, version)]
    return _route_configuration(version, [{"name": "model-api", "domains": ["*"], "routes": rules}])


def traffic_of(version_info: str) -> Traffic | None:
    """The traffic that `routes` rendered under this version; None for a version that is not ours."""
    try:
        return msgspec.json.decode(version_info.split("/", 3)[3], type=Traffic)
    except (IndexError, msgspec.MsgspecError):
        return None


def _refusal() -> Json:
    """Users cannot pass for copies, which servers count apart."""
    return {
        "match": {"prefix": "/", "headers": [_matching(":authority", SHADOW_HOST)]},
        "direct_response": {"status": 400, "body": {"inline_string": "this host is for the proxy's own copies\n"}},
    }


def _to_candidate(traffic: Traffic) -> list[Json]:
    """Those who get the candidate whatever the shares are: our preview, and users who match."""
    chosen = [_exactly(PREVIEW_HEADER, "1")] if traffic.preview else []
    if traffic.match:
        name, wanted = header_of(traffic.match)
        chosen.append(_matching(name, wanted) if traffic.match.cookie else _exactly(name, wanted))
    return [{"match": {"prefix": "/", "headers": [header]}, "route": _destinations({traffic.candidate: 100})} for header in chosen]


def _sticky(traffic: Traffic) -> list[Json]:
    """Who has a slot from an earlier request of this run goes there again."""
    if not traffic.sticky:
        return []
    name = sticky_cookie(traffic.sticky)
    return [
        {"match": {"prefix": "/", "headers": [_matching("cookie", cookie_pattern(name, slot))]}, "route": _destinations({slot: 100})}
        for slot in Slot
    ]


def _shared(traffic: Traffic, name: str) -> list[Json]:
    """Everybody else, by the shares."""
    shares = {slot: traffic.percent(slot) for slot in Slot}
    everybody = {"name": name, "match": {"prefix": "/"}, "route": _destinations(shares, sticky=traffic.sticky)}
    if traffic.forget:
        remembered = _matching("cookie", cookie_pattern(sticky_cookie(traffic.forget)))
        gone = {"header": {"key": "set-cookie", "value": forget_sticky(traffic.forget)}}
        return [{**everybody, "match": {"prefix": "/", "headers": [remembered]}, "response_headers_to_add": [gone]}, everybody]
    if not traffic.mirror:
        return [everybody]
    copied = {**_destinations(shares, sticky=traffic.sticky), "request_mirror_policies": [_copy(traffic)]}
    if traffic.mirror_writes:
        return [{**everybody, "route": copied}]
    asking: list[Json] = [{"prefix": path} for path in COPIED_PATHS]
    asking.append({"prefix": "/", "headers": [_exactly(":method", "GET")]})
    return [*({"match": match, "route": copied} for match in asking), everybody]


def _copy(traffic: Traffic) -> Json:
    fraction = {"numerator": traffic.mirror, "denominator": "HUNDRED"}
    return {"cluster": traffic.candidate.value, "runtime_fraction": {"default_value": fraction}}


def _destinations(shares: Mapping[Slot, int], sticky: str = "") -> Json:
    """Where requests go, in percents; every answer names the slot that it was meant for."""
    clusters = []
    for slot, weight in shares.items():
        headers: list[Json] = [
            {"header": {"key": SLOT_HEADER, "value": slot.value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"},
        ]
        if sticky:
            headers.append({"header": {"key": "set-cookie", "value": set_sticky(sticky, slot)}})
        clusters.append({"name": slot.value, "weight": weight, "response_headers_to_add": headers})
    return {
        "weighted_clusters": {"clusters": clusters},
        "timeout": f"{ROUTE_TIMEOUT}s",
        "retry_policy": {"retry_on": "connect-failure,refused-stream", "num_retries": 1},
    }


def _exactly(name: str, value: str) -> Json:
    return {"name": name, "string_match": {"exact": value}}


def _matching(name: str, pattern: str) -> Json:
    return {"name": name, "string_match": {"safe_regex": {"regex": pattern}}}


def endpoints(slot: Slot, ports: Sequence[int]) -> Json:
    """EDS: where the replicas of a slot listen on loopback."""
    assignment = {
        "@type": f"{_TYPE}config.endpoint.v3.ClusterLoadAssignment",
        "cluster_name": slot.value,
        "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(port)}} for port in ports]}],
    }
    return {"version_info": str(time.time_ns()), "resources": [assignment]}


def endpoints_file(folder: Path, slot: Slot) -> Path:
    """The watched file of a slot's endpoints."""
    return folder / f"endpoints-{slot}.json"


def _route_configuration(version: str, virtual_hosts: list[Json]) -> Json:
    configuration = {
        "@type": f"{_TYPE}config.route.v3.RouteConfiguration",
        "name": "gateway",
        "validate_clusters": True,
        "virtual_hosts": virtual_hosts,
    }
    return {"version_info": version, "resources": [configuration]}


def _cluster(slot: Slot, folder: Path) -> Json:
    return {
        "name": slot.value,
        "type": "EDS",
        "connect_timeout": "1s",
        "eds_cluster_config": {"eds_config": _watched(endpoints_file(folder, slot))},
        "ignore_health_on_host_removal": True,
        # no merge window: else workers learn up to a second late what the admin endpoint tells at once, and answer 503 meanwhile
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}, "update_merge_window": "0s"},
        "health_checks": [
            {
                "timeout": "1s",
                "interval": "0.5s",
                "no_traffic_interval": "0.5s",
                "unhealthy_threshold": 2,
                "healthy_threshold": 1,
                "http_health_check": {"path": "/readyz"},
            }
        ],
        # the lab measures what servers do, not what the proxy's default limits do
        "circuit_breakers": {
            "thresholds": [{"max_connections": 10000, "max_pending_requests": 10000, "max_requests": 10000, "max_retries": 100}]
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": f"{_TYPE}extensions.upstreams.http.v3.HttpProtocolOptions",
                "common_http_protocol_options": {"idle_timeout": f"{UPSTREAM_IDLE}s"},
                "explicit_http_config": {"http_protocol_options": {}},
            }
        },
    }


def _address(port: int) -> Json:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _watched(file: Path) -> Json:
    return {"path_config_source": {"path": str(file), "watched_directory": {"path": str(file.parent)}}, "resource_api_version": "V3"}
