"""A rollout on a cluster, seen and steered from another machine: other host name, other folders, same cluster."""

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cluster.lab import MINUTES, ClusterLab
from tests.waiting import wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(20 * MINUTES)]

Json = dict[str, Any]

SECONDS = 2.0
"""Until a word has its effect."""
# slower than that is nothing but a broken machine: a busy one must not be taken for a bad candidate
CANARY = (
    *("rollout", "canary", "--to", "v2", "--rate", "50", "--weight", "50", "--hold", "10m"),
    *("--baseline", "1s", "--keep", "1s", "--detect", "1", "--objective-latency", "3s"),
)


@pytest.fixture
def elsewhere(up: ClusterLab, tmp_path: Path) -> ClusterLab:
    """Another machine; v1 serves everybody."""
    up.serve(replicas=2)
    return up.elsewhere(tmp_path)


@contextmanager
def canary(lab: ClusterLab) -> Iterator[tuple["subprocess.Popen[str]", Callable[[], str]]]:
    """A canary that is analysed for longer than a test lasts: its process, and what its record says by now."""
    runs = Path(lab.environment["LAB_RUNS"])
    before = set(runs.glob("*"))
    rollout = lab.start(*CANARY)

    def events() -> str:
        return "".join(path.read_text() for folder in set(runs.glob("*")) - before for path in folder.glob("events.jsonl"))

    try:
        wait_for(lambda: '"title":"analyse' in events() or rollout.poll() is not None, "the analysis did not begin")
        assert rollout.poll() is None, rollout.communicate()[1]
        yield rollout, events
    finally:
        rollout.kill()
        rollout.communicate()


@contextmanager
def dashboard(lab: ClusterLab) -> Iterator[httpx.Client]:
    """Somebody who looks at the pages of `labctl dashboard`."""
    server = lab.start("dashboard", "--platform", "kind", stdout=subprocess.PIPE)
    try:
        assert server.stdout is not None
        # it says where it will answer, and then begins to
        again = httpx.HTTPTransport(retries=20)
        with httpx.Client(base_url=server.stdout.readline().strip(), trust_env=False, timeout=2 * MINUTES, transport=again) as page:
            yield page
    finally:
        server.terminate()
        server.communicate(timeout=MINUTES)


def press(page: httpx.Client, name: str, button: str) -> str:
    """Do what a button on a run's page does; what is said of it."""
    (token,) = re.findall(r'"x-lab-token": "([^"]+)"', page.get(f"/runs/{name}").text)
    return page.post(f"/runs/{name}/{button}", headers={"x-lab-token": token}).text


def wait_for_sight(page: httpx.Client, name: str, state: str) -> str:
    """Follow what is pushed to a run's page until the run stands so; what the page shows of it then."""
    deadline = time.monotonic() + MINUTES
    with page.stream("GET", f"/runs/{name}/changes") as notices:
        for line in notices.iter_lines():
            found = json.loads(line.removeprefix("data: ")) if line.startswith("data: {") else {}
            if found.get("state") == state:
                return str(found["html"])
            assert time.monotonic() < deadline, f"it is not {state}: {found}"
    raise AssertionError(f"it ended before it was {state}")


def test_it_is_followed_paused_and_promoted(up: ClusterLab, elsewhere: ClusterLab) -> None:
    """Each word is answered at once, and has its effect within two seconds; the watcher ends with the rollout's exit code."""
    with canary(up) as (rollout, events):
        watcher = elsewhere.start("status", "--watch")
        try:
            for command, word in (("pause", "pause"), ("resume", "resume"), ("pause", "pause")):
                said = events().count(f"a person asked to {word}")
                elsewhere.labctl(command)
                wait_for(lambda: events().count(f"a person asked to {word}") == said + 1, f"{word} has no effect", 5 * SECONDS)  # noqa: B023
            found = json.loads(elsewhere.labctl("status", "--json").stdout)
            assert "labctl rollout canary" in found["holder"]
            assert found["left_behind"] is False

            elsewhere.labctl("promote", "--full")

            _, said_here = rollout.communicate(timeout=2 * MINUTES)
            _, said_there = watcher.communicate(timeout=MINUTES)
        finally:
            watcher.kill()
            watcher.communicate()
    assert (rollout.returncode, watcher.returncode) == (0, 0), f"{said_here}\n{said_there}"
    assert "promoted: v2 is stable now" in said_there
    assert "a person asked to promote --full" in said_there
    for command in ("pause", "promote", "abort"):
        told = elsewhere.labctl(command, code=2).stderr
        assert told.startswith("labctl: no rollout is under way")
        assert told.count("\n") == 1


def test_it_is_watched_paused_and_ended_on_a_page_there_and_its_own_machine_hears_who_did_it(up: ClusterLab, elsewhere: ClusterLab) -> None:
    with canary(up) as (rollout, events), dashboard(elsewhere) as page:
        # a run's name begins with its time
        name = max(path.parent.name for path in Path(up.environment["LAB_RUNS"]).glob("*/plan.json"))
        wait_for(lambda: f"/runs/{name}" in page.get("/").text, "the page does not list it")
        html = wait_for_sight(page, name, "under way")
        assert "another machine, as labctl rollout canary" in html
        assert "no request of a user is known here" in html
        for word, state in (("pause", "paused"), ("resume", "under way")):
            assert press(page, name, word) == f"asked to {word}"
            wait_for(lambda: f"a person asked to {word}" in events(), f"{word} has no effect", 5 * SECONDS)  # noqa: B023
            wait_for_sight(page, name, state)

        assert press(page, name, "abort") == "it has ended"
        _, said = rollout.communicate(timeout=MINUTES)
        assert "interrupted, rolled back" in page.get(f"/runs/{name}").text

    assert rollout.returncode == 3
    assert "has taken this rollout over" in said
    assert "on elsewhere" in said
    summary: Json = json.loads((Path(elsewhere.environment["LAB_RUNS"]) / name / "summary.json").read_text())
    assert summary["outcome"] == "interrupted"
    found = json.loads(up.labctl("status", "--json").stdout)
    assert (found["holder"], found["left_behind"]) == (None, False)
    assert sorted((slot["version"], slot["percent"]) for slot in found["slots"].values() if slot["version"]) == [("v1", 100)]
