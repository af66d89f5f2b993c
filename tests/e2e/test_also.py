"""Rollouts that begin where something is unusual: nobody there yet, another one under way, a dead stable, the same version, no room."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from strategies.traffic import Slot
from tests.e2e.labctl import Labctl
from tests.v3 import with_v3

LOAD = ("--rate", "120", "--baseline", "1s", "--keep", "1s", "--detect", "40", "--objective-latency", "3s")
"""What is judged matters little here; slower than that is nothing but a broken machine."""
CANARY = ("rollout", "canary", *LOAD, "--weight", "50", "--hold", "10s")


def serving(labctl: Labctl) -> tuple[str, int]:
    """The version and the ready replicas of the only slot that is not empty."""
    slots = json.loads(labctl.run("status", "--json").stdout)["slots"].values()
    ((version, ready),) = [(slot["version"], slot["ready"]) for slot in slots if slot["replicas"]]
    assert [slot["percent"] for slot in slots if slot["version"] == version] == [100]
    return version, ready


def test_a_first_deployment_needs_no_strategy(labctl: Labctl) -> None:
    """Nobody is there to be hurt: it serves at once, without a run."""
    done = labctl.run("up", "--version", "v2", "--replicas", "1")

    assert done.returncode == 0, done.stderr
    assert labctl.answer().headers["x-served-by"] == "v2"
    assert serving(labctl) == ("v2", 1)
    assert list(labctl.runs.glob("*")) == []


@pytest.mark.everything
def test_a_third_version_supersedes_the_second_in_mid_canary_and_no_request_is_lost(labctl: Labctl, store: Path, tmp_path: Path) -> None:
    """Stable stays the last one that was fully promoted."""
    labctl.environment["LAB_STORE"] = str(with_v3(store, tmp_path / "models"))
    assert labctl.run("up").returncode == 0
    with labctl.started(*CANARY, "--hold", "90s", "--detect", "1", "--json") as second:
        labctl.wait_for_step("analyse")
        third = labctl.run(*CANARY, "--to", "v3", "--supersede", "--json")
        out, err = second.communicate(timeout=60)

    assert (second.returncode, third.returncode) == (130, 0), err + third.stderr
    summaries: list[dict[str, Any]] = [json.loads(out), json.loads(third.stdout)]
    assert [summary["outcome"] for summary in summaries] == ["interrupted", "promoted"]
    assert summaries[1]["from"] == "v1"
    assert [summary["totals"]["failed"] for summary in summaries] == [0, 0]
    assert serving(labctl) == ("v3", 2)


@pytest.mark.everything
@pytest.mark.parametrize("strategy", ["canary", "rolling"])
def test_a_stable_that_was_broken_before_does_not_block_the_way_forward(shared: Labctl, strategy: str) -> None:
    before, _ = serving(shared)
    wanted = "v2" if before == "v1" else "v1"
    for replica in shared.lab().in_slot(Slot.BLUE) + shared.lab().in_slot(Slot.GREEN):
        os.kill(replica.process.pid, signal.SIGKILL)
    weight = ("--weight", "100", "--keep", "1s") if strategy == "canary" else ()
    load = LOAD[: LOAD.index("--keep")] + LOAD[LOAD.index("--keep") + 2 :]

    done = shared.run("rollout", strategy, *load, *weight, "--hold", "10s", "--to", wanted, "--json")

    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["outcome"] == "promoted"
    assert next(phase for phase in summary["phases"] if phase["name"] == "baseline")["roles"]["stable"]["failed"] > 0
    assert serving(shared) == (wanted, 2)


def test_the_same_version_is_refused(shared: Labctl) -> None:
    """In its own place it could not be told from itself, so there no force helps."""
    same, _ = serving(shared)

    refused = shared.run(*CANARY, "--to", same)
    in_place = shared.run("rollout", "rolling", "--to", same, "--force")

    assert (refused.returncode, in_place.returncode) == (2, 2)
    assert f"{same} is stable already" in refused.stderr.replace("\n", " ")
    assert "cannot be told from itself" in in_place.stderr.replace("\n", " ")


@pytest.mark.everything
def test_by_force_the_same_version_stands_beside_itself_and_no_request_is_lost(shared: Labctl) -> None:
    same, _ = serving(shared)

    forced = shared.run(*CANARY, "--to", same, "--force", "--json")

    assert forced.returncode == 0, forced.stderr
    summary = json.loads(forced.stdout)
    assert (summary["from"], summary["to"], summary["outcome"]) == (same, same, "promoted")
    assert summary["totals"]["failed"] == 0
    assert serving(shared) == (same, 2)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("up", "--replicas", "0"), "--replicas"),
        (("rollout", "canary", "--replicas", "-1"), "--replicas"),
        (("compare", "--replicas", "0"), "--replicas"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_no_replica_at_all_is_refused(shared: Labctl, arguments: tuple[str, ...], words: str) -> None:
    done = shared.run(*arguments)

    assert done.returncode == 2
    assert words in done.stderr
    assert shared.answer().status_code == 200


@pytest.mark.everything
def test_fewer_replicas_than_serve_now_are_said_to_be_fewer(shared: Labctl) -> None:
    """Everything goes to them in the end, and whoever asked for it is to know before."""
    before, _ = serving(shared)
    wanted = "v2" if before == "v1" else "v1"

    done = shared.run(*CANARY, "--to", wanted, "--replicas", "1", "--json")

    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert f"{wanted} is to carry with 1 replica what {before} carries with 2" in " ".join(summary["notes"])
    assert summary["totals"]["failed"] == 0
    assert serving(shared) == (wanted, 1)
