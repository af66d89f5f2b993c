"""The pages of `labctl dashboard`: what they show of each run, and that nobody else's page can use them."""

import json
import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import uvicorn

from cli.common_options import Where
from cli.dashboard import Pages
from cli.lock import exclusive
from cli.settings import Settings
from impact.rundir import RunFolder
from platforms.ports import free_ports
from strategies.events import Looked, Noted, StepStarted
from tests.unit.impact.recorded_run import Recorder, a_run, carried_out, record
from tests.unit.impact.test_comparison import table
from tests.unit.impact.test_report import an_experiment
from tests.waiting import wait_for

TOKEN = "only-our-pages-know-it"


@pytest.fixture
def places(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "lab", runs=tmp_path / "runs", store=tmp_path / "models")


@pytest.fixture
def browser(places: Settings, tmp_path: Path) -> Iterator[httpx.Client]:
    """A client of the server, as it runs."""
    (port,) = free_ports(1)
    app = Pages(places, tmp_path / "comparison", TOKEN, Where()).app()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="critical", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run)
    thread.start()
    transport = httpx.HTTPTransport(retries=20)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30, transport=transport) as client:
        yield client
    server.should_exit = True
    thread.join()


def half_way() -> Recorder:
    """A run whose record has no end."""
    recorder = carried_out(a_run())
    recorder.events = recorder.events[:8]
    return recorder


def sight(browser: httpx.Client, folder: RunFolder) -> dict[str, Any]:
    """The first thing that is pushed to the run's page."""
    with browser.stream("GET", f"/runs/{folder.path.name}/changes") as notices:
        return next(json.loads(line.removeprefix("data: ")) for line in notices.iter_lines() if line.startswith("data: "))


def test_a_run_is_under_way_while_somebody_holds_the_lab_and_left_behind_afterwards(browser: httpx.Client, places: Settings) -> None:
    folder = record(places.runs, half_way())
    with exclusive(places.home, "labctl rollout canary"):
        alive = sight(browser, folder)
        folder.write(Noted(at=folder.events()[-1].at, text="a person asked to pause"))
        paused = sight(browser, folder)
        page = browser.get(f"/runs/{folder.path.name}").text
    wait_for(lambda: sight(browser, folder)["state"] == "left behind", "it is not seen that nobody holds the lab any more", 10)
    dead = sight(browser, folder)

    assert alive["state"] == "under way"
    assert "candidate (green)" in alive["html"]
    assert paused["state"] == "paused"
    assert f'"{TOKEN}"' in page
    assert "`labctl resume` goes on with it" in dead["html"]
    assert "left behind" in browser.get("/").text


def test_the_headline_says_which_step_it_is_in_and_since_when(browser: httpx.Client, places: Settings) -> None:
    folder = record(places.runs, half_way())
    step = next(event for event in reversed(folder.events()) if isinstance(event, StepStarted))
    said = f"canary v1 → v2, under way in “{step.title}”, which began at {step.at:%H:%M:%S} UTC"
    with exclusive(places.home, "labctl rollout canary"):
        assert sight(browser, folder)["headline"] == said
        page = browser.get(f"/runs/{folder.path.name}").text

    assert f"<h1>{said}</h1>" in page
    assert f"<title>{said}</title>" in page
    assert re.search(r"What follows is as it stood at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", page)


def test_an_experiment_has_its_interval_drawn_and_told_while_it_runs(browser: httpx.Client, places: Settings) -> None:
    recorder = an_experiment()
    looks = [number for number, event in enumerate(recorder.events) if isinstance(event, Looked)]
    for known, last in ((False, looks[0]), (True, looks[3])):
        recorder.events = an_experiment().events[: last + 1]
        folder = record(places.runs / str(known), recorder)
        folder.path.rename(places.runs / folder.path.name)
        with exclusive(places.home, "labctl rollout ab-test"):
            html = sight(browser, RunFolder.open(places.runs / folder.path.name))["html"]
        shutil.rmtree(places.runs / folder.path.name)
        # nothing is found before both groups have a user
        assert ("between −50.0 and −10.0" in html) is known
        assert ('<rect x="0.00" width="40.00"' in html) is known


def test_a_run_that_has_ended_has_no_buttons_and_no_token(browser: httpx.Client, places: Settings) -> None:
    folder = record(places.runs, carried_out(a_run()))
    page = browser.get(f"/runs/{folder.path.name}").text

    assert sight(browser, folder) == {"state": "ended", "headline": "canary v1 → v2, ended", "html": ""}
    assert "<button" not in page
    assert TOKEN not in page
    assert "promoted" in browser.get("/").text


def test_a_run_that_cannot_be_read_says_so_and_hides_no_other(browser: httpx.Client, places: Settings) -> None:
    good, bad = (record(places.runs, carried_out(a_run(version))).path for version in ("v2", "v3"))
    (bad / "plan.json").write_text("{")
    for _ in range(2):
        listed = browser.get("/").text
        assert "promoted" in listed
        assert "not readable" in listed
    assert "is damaged" in browser.get(f"/runs/{bad.name}").text
    assert browser.get(f"/runs/{good.name}").status_code == 200


@pytest.mark.parametrize("name", ["<img src=x onerror=alert(1)>", "版本二"])
def test_names_are_text_in_what_is_pushed(browser: httpx.Client, places: Settings, name: str) -> None:
    folder = record(places.runs, Recorder(a_run(name)))
    with exclusive(places.home, "labctl rollout canary"):
        assert "<img" not in sight(browser, folder)["html"]


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"host": "somewhere.example"},
        {"origin": "http://somewhere.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"x-lab-token": ""},
        {"x-lab-token": TOKEN[:-1]},
        {"x-lab-token": "ö"},
    ],
)
def test_a_command_needs_the_token_a_name_of_ours_and_no_other_site(
    browser: httpx.Client, places: Settings, elsewhere: dict[str, str]
) -> None:
    folder = record(places.runs, half_way())
    headers = {"x-lab-token": TOKEN, **elsewhere}
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]

    assert browser.post(f"/runs/{folder.path.name}/pause", headers=encoded).status_code in {400, 403}
    assert not folder.control.exists()


def test_pages_may_not_be_framed_nor_run_scripts_that_are_not_ours(browser: httpx.Client, places: Settings) -> None:
    folder = record(places.runs, half_way())
    answer = browser.get(f"/runs/{folder.path.name}")
    (nonce,) = re.findall(r"'nonce-([^']+)'", answer.headers["content-security-policy"])

    assert answer.headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert re.findall(r"<script[^>]*>", answer.text) == [f'<script nonce="{nonce}">']
    assert re.findall(r"\son[a-z]+=", answer.text) == []


def test_the_comparison_and_its_runs_are_shown_and_two_runs_beside_each_other(
    browser: httpx.Client, places: Settings, tmp_path: Path
) -> None:
    assert browser.get("/comparison").status_code == 404
    first = record(tmp_path / "comparison" / "runs", carried_out(a_run())).path.name
    second = record(places.runs, carried_out(a_run("v2-broken"), failing=0.3)).path.name
    (tmp_path / "comparison" / "comparison.json").write_bytes(msgspec.json.encode(table({})))

    assert "What each strategy costs" in browser.get("/comparison").text
    assert 'href="/comparison"' in browser.get("/").text
    (tmp_path / "comparison" / "comparison.json").write_text("{}")
    assert "of another version of the lab" in browser.get("/comparison").text
    assert {f'href="/runs/{name}"' in browser.get("/").text for name in (first, second)} == {True}
    assert browser.get(f"/beside?run={first}").status_code == 404
    assert "Two runs side by side" in browser.get(f"/beside?run={first}&run={second}").text
    assert browser.get("/runs/..%2f..%2fetc").status_code == 404
