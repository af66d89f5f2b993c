"""The locustfile under plain Locust, with Locust's own web page."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from loadtest.schedule import arrivals
from strategies.run import LoadOptions
from tests.unit.loadtest.load import rows, write_cases
from tests.unit.loadtest.server import Request, Server, reply, serve
from tests.waiting import wait_for

LOCUSTFILE = Path(__file__).parents[3] / "loadtest" / "locustfile.py"


async def every_second_one_fails(request: Request) -> bytes:
    return reply() if request.body["features"]["feature_0"] else reply({"detail": "broken"}, 500)


@pytest.fixture
def server() -> Iterator[Server]:
    with serve(Server(every_second_one_fails)) as server:
        yield server


@pytest.fixture
def page(server: Server, tmp_path: Path) -> Iterator[httpx.Client]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--host", server.url, "--web-host", "127.0.0.1"]
    command += ["--web-port", str(port), "--cases", str(write_cases(tmp_path / "holdout.csv", ("benign", "malignant")))]
    command += ["--requests", str(tmp_path / "requests.csv")]
    with (tmp_path / "console.txt").open("wb") as console:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=console, stderr=console)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            wait_for(lambda: answers(client))
            yield client
    finally:
        process.terminate()
        process.wait(10)


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/").is_success
    except httpx.TransportError:
        return False


def statistics(page: httpx.Client) -> dict[str, Any]:
    """What the page shows, which Locust renews every other second."""
    shown: dict[str, Any] = page.get("/stats/requests").json()
    return shown


def test_a_person_can_set_the_load_in_the_form_and_start_and_stop_it(server: Server, page: httpx.Client, tmp_path: Path) -> None:
    form = json.loads(page.get("/").text.partition("templateArgs = ")[2].partition("\n")[0])
    shown = {name: option["default_value"] for name, option in form["extra_options"].items()}
    cases = str(tmp_path / "holdout.csv")
    limits = {"timeout": 5.0, "in_flight": 500}
    identity = {"group_header": "", "group_value": "", "group_share": 0, "cookies": False, "feedback": False}
    assert shown == {"rate": 50.0, "seed": 1, "shape": "constant", "seconds": 0.0, "cases": cases} | limits | identity
    assert (form["num_users"], form["spawn_rate"]) == (100, 100)

    log = tmp_path / "requests.csv"
    settings = {"user_count": "3", "spawn_rate": "3", "host": server.url, "rate": "40", "seed": "5"}
    assert page.post("/swarm", data=settings).json()["success"]
    wait_for(lambda: statistics(page)["state"] == "running" and len(server.requests) > 20)
    assert page.post("/stop").json()["success"]
    wait_for(lambda: statistics(page)["state"] == "stopped")

    entry = next(entry for entry in statistics(page)["stats"] if entry["name"] == "/predict")
    logged = rows(log)
    assert (entry["method"], entry["num_requests"]) == ("POST", len(logged)) == ("POST", len(server.requests))
    assert entry["num_failures"] == sum(row.failure == "status" for row in logged) > 0
    assert {row.user for row in logged} == {"0", "1", "2"}

    assert page.post("/swarm", data=settings | {"shape": "ramp", "seconds": "1"}).json()["success"]
    second = LoadOptions(rate=40, seed=5, users=3, shape="ramp", seconds=1)
    wait_for(lambda: len(rows(log)) == len(logged) + len(list(arrivals(second, 2))))
    wait_for(lambda: statistics(page)["state"] == "stopped")
    assert len(rows(log)) == len(server.requests)
