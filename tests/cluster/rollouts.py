"""Rollouts on the tests' cluster, live ones above all: what is known of them from outside, and a user who sees what they do to users."""

import json
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from impact.userlog import UserLog
from tests.cluster.lab import MINUTES, ClusterLab
from tests.e2e import boards
from tests.waiting import wait_for

Json = dict[str, Any]

QUICK = (
    "--rate",
    "100",
    "--weight",
    "50",
    "--hold",
    "4s",
    "--baseline",
    "1s",
    "--keep",
    "1s",
    "--detect",
    "30",
    "--objective-latency",
    "1s",
)
"""Slower than that is nothing but a broken machine: a busy one must not be taken for a bad candidate."""
GONE_SECONDS = 5.0
"""Without an end to its series Prometheus would show a rollout's last values for five minutes more (asserted at five times it)."""
ROUTES = "virtualservice.networking.istio.io/model-api"


def status(lab: ClusterLab) -> Json:
    """What `labctl status` tells."""
    found: Json = json.loads(lab.labctl("status", "--json").stdout)
    return found


def stable(lab: ClusterLab) -> Json:
    """The slot of the version that everybody falls back to."""
    found: Json = next(slot for slot in status(lab)["slots"].values() if slot["role"] == "stable")
    return found


def other_than(version: str) -> str:
    """The other one of the two good versions."""
    return "v2" if version == "v1" else "v1"


def require_one_version(lab: ClusterLab, version: str) -> None:
    """One slot has all the traffic and replicas for it, the other none, and nobody is left behind."""
    found = status(lab)
    assert (found["holder"], found["left_behind"]) == (None, False)
    serving = [slot for slot in found["slots"].values() if slot["percent"] == 100]
    assert [(slot["version"], slot["role"], slot["replicas"]) for slot in serving] == [(version, "stable", 2)]
    assert [slot["replicas"] for slot in found["slots"].values() if slot["percent"] == 0] == [0]


def require_no_metrics(lab: ClusterLab) -> None:
    """Of rollouts that are over nothing is shown any more, well before Prometheus would forget them by itself."""
    boards.wait_until_gone(lab.prometheus, '{__name__=~"labctl_rollout_.+"}', 5 * GONE_SECONDS)


def events(lab: ClusterLab) -> list[Json]:
    """What the newest run has written down."""
    runs = Path(lab.environment["LAB_RUNS"])
    newest = max(runs.glob("*/events.jsonl"), key=lambda file: file.stat().st_mtime_ns, default=None)
    lines = newest.read_text().splitlines(keepends=True) if newest else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


def aside(lab: ClusterLab) -> None:
    """Put the runs that have ended aside, so that the newest one is the next one."""
    runs = Path(lab.environment["LAB_RUNS"])
    before = runs.with_name("runs-before")
    before.mkdir(exist_ok=True)
    for folder in runs.glob("*"):
        folder.rename(before / f"{folder.name}-{time.monotonic_ns()}")


def failures(lab: ClusterLab) -> Counter[tuple[str, int, str]]:
    """What failed for the users of the newest run: how, with which status, and on whose account."""
    newest = max(Path(lab.environment["LAB_RUNS"]).glob("*/plan.json"), key=lambda plan: plan.stat().st_mtime).parent
    return Counter((one.failure, one.status, one.slot or "nobody") for one in UserLog(newest).poll() if one.failed)


class Live:
    """A rollout that is under way in another process."""

    def __init__(self, lab: ClusterLab, process: "subprocess.Popen[str]") -> None:
        self._lab = lab
        self.process = process

    def reaches(self, *steps: str) -> None:
        """Wait until it has begun a step whose title begins as one of these."""
        self.waits_for(lambda event: event["type"] == "StepStarted" and event["title"].startswith(steps), f"no step {steps}")

    def waits_for(self, wanted: Callable[[Json], bool], what: str) -> None:
        """Wait until it has written such an event down."""

        def there() -> bool:
            if any(wanted(event) for event in events(self._lab)):
                return True
            assert self.process.poll() is None, self.process.communicate()[1]
            return False

        wait_for(there, what, 3 * MINUTES)

    def ended(self, *codes: int) -> tuple[Json, str]:
        """Its summary and what it said until its end, whose exit code must be one of these."""
        _, said = self.process.communicate(timeout=4 * MINUTES)
        assert self.process.returncode in codes, said
        runs = Path(self._lab.environment["LAB_RUNS"])
        (found,) = runs.glob("*/summary.json")
        return json.loads(found.read_text()), said


@contextmanager
def rollout(lab: ClusterLab, *options: str) -> Iterator[Live]:
    """A canary with `QUICK` and these options while the block lasts; its users end with it."""
    aside(lab)
    process = lab.start("rollout", "canary", *QUICK, *options)
    try:
        yield Live(lab, process)
    finally:
        process.kill()
        process.wait()
        if process.stderr:
            process.stderr.close()


class Bystander:
    """One more user, whom no rollout knows of: asks the gateway again and again, each time by a new connection.

    Attributes:
        good: how many good answers it got.
        failed: what it got instead of one.
    """

    EVERY = 0.05

    def __init__(self, lab: ClusterLab) -> None:
        self.failed: list[str] = []
        self.good = 0
        self._gateway = lab.gateway
        self._done = threading.Event()

    def ask(self) -> None:
        """Go on asking until it is `over`."""
        while not self._done.wait(self.EVERY):
            try:
                answer = httpx.get(f"{self._gateway}/version", timeout=5.0, trust_env=False)
                if answer.status_code == 200:
                    self.good += 1
                else:
                    self.failed.append(f"{answer.status_code} {answer.text}")
            except httpx.TransportError as error:
                self.failed.append(repr(error))

    def over(self) -> None:
        """It has seen enough."""
        self._done.set()


@contextmanager
def bystander(lab: ClusterLab) -> Iterator[Bystander]:
    """One who asks while the block lasts."""
    asking = Bystander(lab)
    thread = threading.Thread(target=asking.ask)
    thread.start()
    try:
        yield asking
    finally:
        asking.over()
        thread.join()
