"""Traffic becomes a VirtualService that does what it says, and nobody else's edit of it stays unseen."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.clock import SystemClock
from platforms.kubernetes import routes
from platforms.kubernetes.client import Cluster
from platforms.kubernetes.held import Held
from platforms.kubernetes.ownership import OwnedRoutes
from strategies.errors import RouteRefused
from strategies.traffic import Match, Slot, Traffic
from tests.unit.kubernetes.api_server import ApiServer, api_server

BLUE, GREEN = Slot.BLUE, Slot.GREEN
PATH = "/apis/networking.istio.io/v1/namespaces/lab/virtualservices/model-api"
CLAIMS = "/apis/networking.istio.io/v1/virtualservices"

traffics = st.builds(
    Traffic,
    stable=st.sampled_from(Slot),
    weight=st.integers(0, 100),
    preview=st.booleans(),
    match=st.none() | st.builds(Match, name=st.just("x-user-group"), value=st.just("beta"), cookie=st.booleans()),
    mirror=st.integers(0, 100),
    mirror_writes=st.booleans(),
    sticky=st.sampled_from(["", "run1"]),
)


def rules(traffic: Traffic) -> list[dict[str, Any]]:
    return list(routes.virtual_service(traffic)["spec"]["http"])


@given(traffic=traffics)
def test_it_says_what_it_stands_for(traffic: Traffic) -> None:
    rendered = routes.virtual_service(traffic, generation=7, mark="1")

    assert routes.noted_traffic(rendered) == traffic
    assert routes.noted_generation(rendered) == 7
    assert routes.stands_for(rendered, traffic)
    assert not routes.stands_for(rendered, msgspec.structs.replace(traffic, weight=100 - traffic.weight)) or traffic.weight == 50
    names = [rule["name"] for rule in rendered["spec"]["http"]]
    assert len(set(names)) == len(names)
    assert routes.route_names(rendered).isdisjoint(routes.route_names(routes.virtual_service(traffic, mark="2")))


@given(traffic=traffics)
def test_every_answer_names_the_slot_that_it_was_meant_for_and_nothing_is_sent_twice(traffic: Traffic) -> None:
    for rule in rules(traffic)[1:]:
        assert rule["timeout"] == "4s"
        assert rule["retries"] == {"attempts": 1, "retryOn": "connect-failure,refused-stream"}
        assert sum(target["weight"] for target in rule["route"]) == 100
        for target in rule["route"]:
            slot = target["headers"]["response"]["set"]["x-lab-slot"]
            assert target["destination"] == {"host": f"model-api-{slot}.lab.svc.cluster.local", "port": {"number": 8000}}


@given(traffic=traffics)
def test_the_last_rule_is_for_everybody(traffic: Traffic) -> None:
    last = rules(traffic)[-1]

    assert "match" not in last
    shares = {target["headers"]["response"]["set"]["x-lab-slot"]: target["weight"] for target in last["route"]}
    assert shares == {slot.value: traffic.percent(slot) for slot in Slot if traffic.percent(slot)}


def test_preview_and_matching_users_go_to_the_candidate() -> None:
    found = rules(Traffic(stable=BLUE, preview=True, match=Match(name="x-user-group", value="beta")))

    assert [rule["match"] for rule in found[1:3]] == [
        [{"headers": {"x-lab-preview": {"exact": "1"}}}],
        [{"headers": {"x-user-group": {"exact": "beta"}}}],
    ]
    for rule in found[1:3]:
        assert [target["destination"]["host"] for target in rule["route"]] == ["model-api-green.lab.svc.cluster.local"]


def test_copies_are_made_of_what_only_asks() -> None:
    asks = rules(Traffic(stable=BLUE, mirror=30))
    everything = rules(Traffic(stable=BLUE, mirror=30, mirror_writes=True))

    assert {"method": {"exact": "GET"}} in asks[1]["match"]
    assert asks[1]["mirrors"][0]["percentage"] == {"value": 30}
    assert "mirrors" not in asks[2]
    assert [("mirrors" in rule, "match" in rule) for rule in everything[1:]] == [(True, False)]


def test_users_stay_by_a_cookie_that_is_taken_back_at_the_end() -> None:
    sticky, forgotten = rules(Traffic(stable=BLUE, weight=50, sticky="run1")), rules(Traffic(stable=BLUE, forget="run1"))

    cookies = [target["headers"]["response"]["add"]["set-cookie"] for target in sticky[-1]["route"]]
    assert [cookie.partition(";")[0] for cookie in cookies] == ["lab-run1=blue", "lab-run1=green"]
    assert "Max-Age=0" in forgotten[1]["headers"]["response"]["add"]["set-cookie"]


# --- in the cluster ----------------------------------------------------------------------------------------------


class Owned:
    """The routes on a small API server, with a run's number and notes."""

    def __init__(self, server: ApiServer, cluster: Cluster) -> None:
        self.server = server
        self.cluster = cluster
        self.notes: list[str] = []

    def routes(self, generation: int = 1, *, reclaim: bool = False) -> OwnedRoutes:
        return OwnedRoutes(self.cluster, "lab", held=Held(generation, SystemClock()), note=self.notes.append, reclaim=reclaim)

    def edit(self) -> None:
        """Somebody gives the candidate more."""
        found = self.server.objects[PATH]
        found["spec"]["http"][-1]["route"][0]["weight"] = 1
        found["metadata"]["managedFields"] = [
            {"manager": "labctl", "fieldsV1": {"f:metadata": {}}},
            {"manager": "bob", "time": "2026-01-01T00:00:00Z", "fieldsV1": {"f:spec": {"f:http": {}}}},
        ]


@pytest.fixture
def owned(tmp_path: Path) -> Iterator[Owned]:
    with api_server(tmp_path) as (server, config):
        cluster = Cluster("test", clock=SystemClock(), patience=0.0, kubeconfig=config)
        yield Owned(server, cluster)
        cluster.close()


def test_what_was_written_is_read(owned: Owned) -> None:
    mine = owned.routes()
    assert mine.traffic() is None

    names = mine.write(Traffic(stable=BLUE, weight=10))

    assert mine.traffic() == Traffic(stable=BLUE, weight=10)
    assert names == routes.route_names(owned.server.objects[PATH])
    mine.check()


def test_an_edit_is_noticed_and_named(owned: Owned) -> None:
    mine = owned.routes()
    mine.write(Traffic(stable=BLUE, weight=10))

    owned.edit()

    for ask in (mine.traffic, mine.check):
        with pytest.raises(RouteRefused, match="bob changed the routes"):
            ask()


def test_the_way_back_takes_an_edit_back_and_says_whose_it_was(owned: Owned) -> None:
    mine = owned.routes()
    mine.write(Traffic(stable=BLUE, weight=10))
    owned.edit()

    mine.write(Traffic(stable=BLUE))

    assert owned.server.requests[-1][1]["force"] == ["true"]
    assert owned.notes == ["the routes that bob had changed were taken back"]


def test_the_way_forward_forces_nothing_unless_asked_to(owned: Owned) -> None:
    owned.routes().write(Traffic(stable=BLUE, weight=10))
    owned.server.refuse = (409, 'Apply failed with 1 conflict: conflict with "bob" using networking.istio.io/v1: .spec.http')

    for traffic in (Traffic(stable=BLUE, weight=50), Traffic(stable=GREEN)):
        with pytest.raises(RouteRefused, match="bob changed the routes, which are not overwritten unasked"):
            owned.routes().write(traffic)
        assert owned.server.requests[-1][1]["force"] == ["false"]

    owned.server.refuse = None
    owned.routes(reclaim=True).write(Traffic(stable=BLUE, weight=50))
    assert owned.server.requests[-1][1]["force"] == ["true"]


def test_before_a_rollout_routes_of_somebody_else_are_refused_or_taken_where_that_is_asked_for(owned: Owned) -> None:
    owned.routes().write(Traffic(stable=BLUE, weight=10))
    assert owned.routes().foreign() is None

    owned.edit()

    with pytest.raises(RouteRefused, match="bob wrote the routes last"):
        owned.routes().foreign()
    assert owned.routes(reclaim=True).foreign() == Traffic(stable=BLUE)


def test_who_wrote_the_same_as_labctl_has_changed_nothing(owned: Owned) -> None:
    owned.routes().write(Traffic(stable=BLUE))
    owned.server.objects[PATH]["metadata"]["managedFields"] = [
        {"manager": "labctl", "fieldsV1": {"f:spec": {"f:hosts": {}, "f:http": {}}}},
        {"manager": "kubectl", "fieldsV1": {"f:spec": {"f:hosts": {}}}},
    ]

    assert owned.routes().foreign() is None
    owned.routes().write(Traffic(stable=BLUE))
    assert owned.notes == []


def test_routes_that_do_not_say_who_is_stable_are_not_guessed_at(owned: Owned) -> None:
    owned.routes().write(Traffic(stable=BLUE))
    owned.edit()
    owned.server.objects[PATH]["metadata"]["annotations"] = {}

    with pytest.raises(RouteRefused, match="do not say which slot is stable"):
        owned.routes(reclaim=True).foreign()


def test_reclaiming_puts_back_what_was_there(owned: Owned) -> None:
    mine = owned.routes(reclaim=True)
    mine.write(Traffic(stable=BLUE, weight=10))
    owned.edit()

    mine.check()

    assert owned.notes == ["the routes that bob had changed were taken back"]
    assert mine.traffic() == Traffic(stable=BLUE, weight=10)


def test_an_older_run_is_refused_once_a_newer_one_has_written(owned: Owned) -> None:
    old, new = owned.routes(1), owned.routes(2)
    old.write(Traffic(stable=BLUE, weight=10))
    new.write(Traffic(stable=BLUE))

    with pytest.raises(RouteRefused, match=r"a newer rollout \(number 2\)"):
        old.write(Traffic(stable=BLUE, weight=10))

    assert new.traffic() == Traffic(stable=BLUE)


def test_a_rival_on_the_gateway_is_named(owned: Owned) -> None:
    mine = owned.routes()
    mine.write(Traffic(stable=BLUE))
    fields = [{"manager": "carol", "fieldsV1": {"f:spec": {}}}]
    owned.server.objects[f"{CLAIMS}/rival"] = {
        "metadata": {"name": "rival", "namespace": "else", "managedFields": fields},
        "spec": {"gateways": ["lab/lab"]},
    }

    # their object is theirs: also where routes are taken back, this one is not
    for asked in (mine.check, mine.require_no_rival, owned.routes(reclaim=True).check):
        with pytest.raises(RouteRefused, match="else/rival, written by carol, claims the gateway's requests too"):
            asked()

    owned.server.objects[f"{CLAIMS}/rival"]["spec"]["gateways"] = ["lab"]
    mine.check()
    mine.require_no_rival()


@pytest.mark.parametrize(
    ("namespace", "spec", "slots"),
    [
        ("lab", {"http": [{"route": [{"destination": {"host": "model-api-blue"}}]}]}, {BLUE}),
        ("else", {"http": [{"route": [{"destination": {"host": "model-api-blue"}}]}]}, set()),
        ("else", {"http": [{"route": [{"destination": {"host": "model-api-blue.lab"}}]}]}, {BLUE}),
        ("else", {"tcp": [{"route": [{"destination": {"host": "model-api-green.lab.svc.cluster.local"}}]}]}, {GREEN}),
        (
            "lab",
            {"http": [{"route": [{"destination": {"host": "other"}}], "mirrors": [{"destination": {"host": "model-api-blue"}}]}]},
            {BLUE},
        ),
        ("lab", {"http": [{"delegate": {"name": "shop"}}]}, {BLUE, GREEN}),
        ("lab", {"http": [{"directResponse": {"status": 503}}]}, set()),
    ],
)
def test_a_slot_to_which_somebody_elses_routes_may_lead_is_told_from_others(
    owned: Owned, namespace: str, spec: dict[str, Any], slots: set[Slot]
) -> None:
    metadata = {"name": "rival", "namespace": namespace}
    owned.server.objects[f"{CLAIMS}/rival"] = {"metadata": metadata, "spec": {"gateways": ["lab/lab"], **spec}}

    for slot in Slot:
        if slot in slots:
            with pytest.raises(RouteRefused, match=f"{namespace}/rival, .*, sends users to {slot}, which is not stopped under them"):
                owned.routes().require_no_rival_to(slot)
        else:
            owned.routes().require_no_rival_to(slot)
