"""Traffic as a VirtualService, by a pure function: the same road as the local proxy's, for the same reasons.

- a Service per slot, no subsets: a change of weights never rewrites who the endpoints are;
- `x-lab-slot` is set by the destination, so that the gateway's own 503 or timeout is charged to the slot it was meant for;
- at most one retry, on connect-failure and refused-stream only: nothing that a replica may have processed is sent twice;
- a timeout below the users' own, so that a hanging candidate answers (504) under its name.

Helm renders no weights: `labctl` alone owns this object, whose annotations say what it stands for and which run wrote it.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from platforms.rules import COPIED_PATHS, SHADOW_HOST, cookie_pattern, forget_sticky, header_of, set_sticky, sticky_cookie
from strategies.traffic import PREVIEW_HEADER, Slot, Traffic
from strategies.userlog import SLOT_HEADER

NAME = "model-api"
"""Of the VirtualService, and what the slots' releases and Services begin with."""
NAMESPACE = "lab"
GATEWAY = "lab"
PORT = 8000
TIMEOUT_SECONDS = 4
TRAFFIC_NOTE = "lab/traffic"
GENERATION_NOTE = "lab/generation"

Json = dict[str, Any]


def release_name(slot: Slot) -> str:
    """The name of a slot's Helm release, Deployment and Service."""
    return f"{NAME}-{slot}"


def service_host(slot: Slot, namespace: str) -> str:
    """The name under which the gateway knows a slot."""
    return f"{release_name(slot)}.{namespace}.svc.cluster.local"


def virtual_service(traffic: Traffic, *, namespace: str = NAMESPACE, generation: int = 0, mark: str = "") -> Json:
    """What the gateway is to do with requests.

    `generation` is the number of the run that writes it. `mark` makes the routes' names unlike all before, so that the
    gateway can be asked whether it has these; promotion, say, moves no request and could not be seen otherwise.
    """
    notes = {TRAFFIC_NOTE: msgspec.json.encode(traffic).decode()}
    if generation:
        notes[GENERATION_NOTE] = str(generation)
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": NAME, "namespace": namespace, "annotations": notes},
        "spec": {"hosts": ["*"], "gateways": [GATEWAY], "http": _http(traffic, namespace, mark)},
    }


def route_names(virtual_service: Json) -> frozenset[str]:
    """The names that the gateway must show once it has taken a VirtualService."""
    return frozenset(route["name"] for route in virtual_service["spec"]["http"])


def noted_traffic(virtual_service: Json) -> Traffic | None:
    """The traffic that a VirtualService says it stands for; None if it does not say so."""
    try:
        return msgspec.json.decode(_notes(virtual_service)[TRAFFIC_NOTE], type=Traffic)
    except (KeyError, msgspec.DecodeError, ValueError):
        return None


def noted_generation(virtual_service: Json) -> int:
    """The number of the run that wrote it last; 0 if none did."""
    try:
        return int(_notes(virtual_service)[GENERATION_NOTE])
    except (KeyError, ValueError):
        return 0


def stands_for(virtual_service: Json, traffic: Traffic) -> bool:
    """Whether it does what `traffic` says, whatever its routes are called."""
    namespace = virtual_service["metadata"]["namespace"]
    spec = virtual_service.get("spec", {})
    wanted = virtual_service_spec(traffic, namespace)
    return _unnamed(spec) == _unnamed(wanted)


def virtual_service_spec(traffic: Traffic, namespace: str) -> Json:
    """The part that decides about requests."""
    spec: Json = virtual_service(traffic, namespace=namespace)["spec"]
    return spec


def writers(virtual_service: Json) -> tuple[str, ...]:
    """The field managers that own a part of what decides about requests and do not share it with labctl, the latest first.

    Who once applied the same hosts owns them still, together with labctl, and has changed nothing.
    """
    entries = [entry for entry in virtual_service["metadata"].get("managedFields", []) if "f:spec" in entry.get("fieldsV1", {})]
    ours = {field for entry in entries if entry.get("manager") == "labctl" for field in entry["fieldsV1"]["f:spec"]}
    others = [entry for entry in entries if entry.get("manager") != "labctl" and (not ours or set(entry["fieldsV1"]["f:spec"]) - ours)]
    others.sort(key=lambda entry: str(entry.get("time", "")), reverse=True)
    return tuple(dict.fromkeys(str(entry["manager"]) for entry in others))


def rivals(virtual_services: Iterable[Json], namespace: str) -> tuple[Json, ...]:
    """Other VirtualServices that claim requests of our gateway: which one wins is then Istio's choice."""
    names = {f"{namespace}/{GATEWAY}"}
    return tuple(
        other
        for other in virtual_services
        if (other["metadata"]["namespace"], other["metadata"]["name"]) != (namespace, NAME)
        and any(
            (gateway if "/" in gateway else f"{other['metadata']['namespace']}/{gateway}") in names
            for gateway in other.get("spec", {}).get("gateways", [])
        )
    )


def may_lead_to(virtual_service: Json, slot: Slot, namespace: str) -> bool:
    """Whether somebody's VirtualService names the slot's Service in any of the ways that Istio allows, or leaves that to another one."""
    short, own = release_name(slot), virtual_service["metadata"]["namespace"] == namespace
    service = f"{short}.{namespace}"
    return any(
        what == "delegate" or host == service or host.startswith(f"{service}.") or (own and host == short)
        for what, host in _named_hosts(virtual_service.get("spec", {}))
    )


def _named_hosts(value: Any) -> Iterator[tuple[str, str]]:
    """Each host or delegate that is named anywhere in a spec: routes, mirrors, TCP and TLS have them in different places."""
    if isinstance(value, list):
        for one in value:
            yield from _named_hosts(one)
    elif isinstance(value, dict):
        for key, inside in value.items():
            if key in {"host", "delegate"}:
                yield key, str(inside)
            else:
                yield from _named_hosts(inside)


def _http(traffic: Traffic, namespace: str, mark: str) -> list[Json]:
    """All rules, the first that fits a request decides."""
    rules = [_refusal(), *_to_candidate(traffic, namespace), *_sticky(traffic, namespace), *_shared(traffic, namespace)]
    return [{**rule, "name": f"{rule['name']}/{mark}" if mark else rule["name"]} for rule in rules]


def _refusal() -> Json:
    """Users cannot pass for copies, which servers count apart."""
    return {
        "name": "refusal",
        "match": [{"authority": {"regex": SHADOW_HOST}}],
        "directResponse": {"status": 400, "body": {"string": "this host is for the proxy's own copies\n"}},
    }


def _to_candidate(traffic: Traffic, namespace: str) -> list[Json]:
    """Those who get the candidate whatever the shares are: our preview, and users who match."""
    chosen = [("preview", PREVIEW_HEADER, {"exact": "1"})] if traffic.preview else []
    if traffic.match:
        name, wanted = header_of(traffic.match)
        chosen.append(("match", name, {"regex" if traffic.match.cookie else "exact": wanted}))
    return [
        {"name": what, "match": [{"headers": {header: value}}], **_destinations({traffic.candidate: 100}, namespace)}
        for what, header, value in chosen
    ]


def _sticky(traffic: Traffic, namespace: str) -> list[Json]:
    """Who has a slot from an earlier request of this run goes there again."""
    if not traffic.sticky:
        return []
    name = sticky_cookie(traffic.sticky)
    return [
        {
            "name": f"stay/{slot}",
            "match": [{"headers": {"cookie": {"regex": cookie_pattern(name, slot)}}}],
            **_destinations({slot: 100}, namespace),
        }
        for slot in Slot
    ]


def _shared(traffic: Traffic, namespace: str) -> list[Json]:
    """Everybody else, by the shares."""
    shares = {slot: traffic.percent(slot) for slot in Slot if traffic.percent(slot)}
    everybody: Json = {"name": f"{traffic.stable}/{traffic.weight}", **_destinations(shares, namespace, sticky=traffic.sticky)}
    if traffic.forget:
        remembered = {"headers": {"cookie": {"regex": cookie_pattern(sticky_cookie(traffic.forget))}}}
        gone = {"response": {"add": {"set-cookie": forget_sticky(traffic.forget)}}}
        return [{**everybody, "name": "forget", "match": [remembered], "headers": gone}, everybody]
    if not traffic.mirror:
        return [everybody]
    copy = {"destination": _destination(traffic.candidate, namespace), "percentage": {"value": traffic.mirror}}
    copied = {**everybody, "name": f"copy/{traffic.mirror}", "mirrors": [copy]}
    if traffic.mirror_writes:
        return [copied]
    asking = [*({"uri": {"prefix": path}} for path in COPIED_PATHS), {"method": {"exact": "GET"}}]
    return [{**copied, "match": asking}, everybody]


def _destinations(shares: Mapping[Slot, int], namespace: str, sticky: str = "") -> Json:
    """Where requests go, in percents; every answer names the slot that it was meant for."""
    route = []
    for slot, weight in shares.items():
        response: Json = {"set": {SLOT_HEADER: slot.value}}
        if sticky:
            response["add"] = {"set-cookie": set_sticky(sticky, slot)}
        route.append({"destination": _destination(slot, namespace), "weight": weight, "headers": {"response": response}})
    return {
        "route": route,
        "timeout": f"{TIMEOUT_SECONDS}s",
        "retries": {"attempts": 1, "retryOn": "connect-failure,refused-stream"},
    }


def _destination(slot: Slot, namespace: str) -> Json:
    return {"host": service_host(slot, namespace), "port": {"number": PORT}}


def _notes(virtual_service: Json) -> dict[str, str]:
    return dict(virtual_service["metadata"].get("annotations") or {})


def _unnamed(spec: Json) -> Json:
    return {**spec, "http": [{key: value for key, value in route.items() if key != "name"} for route in spec.get("http", [])]}
