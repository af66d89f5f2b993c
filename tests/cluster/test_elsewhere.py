"""A rollout on a cluster, seen and steered from another machine: other host name, other folders, same cluster.

Each word must be answered, and have its effect, within the two seconds that are promised (asserted at five times that).
"""

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

from strategies.events import AnyEvent
from tests.cluster.lab import MINUTES, ClusterLab
from tests.cluster.rollouts import require_one_version
from tests.e2e.steering import EFFECT_SECONDS, begun, everybody_back, noted, seconds_until
from tests.waiting import wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(20 * MINUTES)]

Json = dict[str, Any]

ALLOWED = 5 * EFFECT_SECONDS
# it stays in its analysis, and later in its hold, until somebody steers it; slower than three seconds is nothing but a broken
# machine, as a busy one must not be taken for a bad candidate
CANARY = (
    *("rollout", "canary", "--to", "v2", "--rate", "50", "--weight", "50", "--hold", "10m"),
    *("--baseline", "1s", "--keep", "10m", "--detect", "1", "--objective-latency", "3s"),
)


@pytest.fixture
def elsewhere(up: ClusterLab, tmp_path: Path) -> ClusterLab:
    """Another machine; v1 serves everybody."""
    up.serve(replicas=2)
    return up.elsewhere(tmp_path)


class Canary:
    """A canary that goes on for longer than a test lasts, unless somebody steers it: its process, and where it is by now."""

    def __init__(self, lab: ClusterLab) -> None:
        self._runs = runs(lab)
        self._before = set(self._runs.glob("*"))
        self.process = lab.start(*CANARY)

    def reaches(self, step: str) -> None:
        """Wait until a step whose title begins so has begun."""
        wait_for(lambda: f'"title":"{step}' in self.events() or self.process.poll() is not None, f"{step} did not begin")
        assert self.process.poll() is None, self.process.communicate()[1]

    def events(self) -> str:
        """What its record says by now."""
        return "".join(path.read_text() for folder in set(self._runs.glob("*")) - self._before for path in folder.glob("events.jsonl"))


@contextmanager
def canary(lab: ClusterLab) -> Iterator[Canary]:
    """One that is in its analysis."""
    live = Canary(lab)
    try:
        live.reaches("analyse")
        yield live
    finally:
        live.process.kill()
        live.process.communicate()


def runs(lab: ClusterLab) -> Path:
    """Where a machine keeps its runs."""
    return Path(lab.environment["LAB_RUNS"])


def say(at: ClusterLab, *words: str, effect: Callable[[AnyEvent], bool], seen: Path, told_on_stderr: bool = False) -> str:
    """Say a word on a machine, and see that answer and effect, an event of the runs in `seen`, come in time; what stdout says.

    One that does the work itself tells on stderr what it does, the others answer on stdout.
    """
    process = at.start(*words, stdout=subprocess.PIPE)
    try:
        stream = process.stderr if told_on_stderr else process.stdout
        assert stream is not None
        answer, effective = seconds_until(seen, stream.readline, effect)
        out, err = process.communicate(timeout=MINUTES)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0, out + err
    assert answer <= ALLOWED, f"{words} is answered after {answer:.1f} s"
    assert effective <= ALLOWED, f"{words} has its effect after {effective:.1f} s"
    return out


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
    """`promote --full` waits for nothing of what follows either; the watcher ends with the rollout's exit code."""
    with canary(up) as live:
        watcher = elsewhere.start("status", "--watch")
        try:
            for word in ("pause", "resume", "pause"):
                say(elsewhere, word, effect=noted(word), seen=runs(up))
            found = json.loads(elsewhere.labctl("status", "--json").stdout)
            assert "labctl rollout canary" in found["holder"]
            assert found["left_behind"] is False

            say(elsewhere, "promote", "--full", effect=begun("deploy"), seen=runs(up))

            _, said_here = live.process.communicate(timeout=2 * MINUTES)
            _, said_there = watcher.communicate(timeout=MINUTES)
        finally:
            watcher.kill()
            watcher.communicate()
    assert (live.process.returncode, watcher.returncode) == (0, 0), f"{said_here}\n{said_there}"
    assert "promoted: v2 is stable now" in said_there
    assert "a person asked to promote --full" in said_there
    for command in ("pause", "promote", "abort"):
        told = elsewhere.labctl(command, code=2).stderr
        assert told.startswith("labctl: no rollout is under way")
        assert told.count("\n") == 1


@pytest.mark.everything
def test_it_is_watched_paused_and_ended_on_a_page_there_and_its_own_machine_hears_who_did_it(up: ClusterLab, elsewhere: ClusterLab) -> None:
    with canary(up) as live, dashboard(elsewhere) as page:
        # a run's name begins with its time
        name = max(path.parent.name for path in runs(up).glob("*/plan.json"))
        wait_for(lambda: f"/runs/{name}" in page.get("/").text, "the page does not list it")
        html = wait_for_sight(page, name, "under way")
        assert "another machine, as labctl rollout canary" in html
        assert "no request of a user is known here" in html
        for word, state in (("pause", "paused"), ("resume", "under way")):
            assert press(page, name, word) == f"asked to {word}"
            wait_for(lambda: f"a person asked to {word}" in live.events(), f"{word} has no effect", ALLOWED)  # noqa: B023
            wait_for_sight(page, name, state)

        assert press(page, name, "abort") == "it has ended"
        _, said = live.process.communicate(timeout=MINUTES)
        assert "interrupted, rolled back" in page.get(f"/runs/{name}").text

    assert live.process.returncode == 3
    assert "has taken this rollout over" in said
    assert "on elsewhere" in said
    summary: Json = json.loads((runs(elsewhere) / name / "summary.json").read_text())
    assert summary["outcome"] == "interrupted"
    require_one_version(up, "v1")


def test_it_goes_on_at_once_and_is_undone_while_the_old_version_is_kept(up: ClusterLab, elsewhere: ClusterLab) -> None:
    with canary(up) as live:
        refused = elsewhere.labctl("undo", code=2).stderr
        say(elsewhere, "promote", effect=begun("deploy"), seen=runs(up))
        live.reaches("hold")
        say(elsewhere, "undo", effect=everybody_back, seen=runs(up))
        _, said = live.process.communicate(timeout=2 * MINUTES)

    assert "has promoted nothing yet, so there is nothing to undo" in " ".join(refused.split())
    assert live.process.returncode == 130, said
    require_one_version(up, "v1")


def test_it_is_ended_and_its_own_machine_hears_who_did_it(up: ClusterLab, elsewhere: ClusterLab) -> None:
    with canary(up) as live:
        # who ends it is who writes from there on
        ended = say(elsewhere, "abort", "--json", effect=everybody_back, seen=runs(elsewhere), told_on_stderr=True)
        _, said = live.process.communicate(timeout=MINUTES)

    summary: Json = json.loads(ended)
    assert summary["outcome"] == "interrupted"
    assert live.process.returncode == 3
    assert "has taken this rollout over" in said
    assert "on elsewhere" in said
    require_one_version(up, "v1")
