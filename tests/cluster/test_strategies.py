"""Every strategy beside the canary on a real cluster, under load. The tests share a lab; each ends with one version that serves."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.lab import MINUTES, ClusterLab
from tests.cluster.rollouts import failures

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(20 * MINUTES)]

Json = dict[str, Any]

# a busy machine makes a good candidate late, and that is not what is asked here
QUICK = ("--rate", "60", "--baseline", "3s", "--detect", "25", "--objective-latency", "3s")


def rollout(lab: ClusterLab, strategy: str, *options: str, code: int) -> Json:
    summary: Json = json.loads(lab.labctl("rollout", strategy, *QUICK, *options, "--json", code=code).stdout)
    return summary


def stable(lab: ClusterLab) -> str:
    """The version that has all the traffic, beside which nothing runs."""
    found: Json = json.loads(lab.labctl("status", "--json").stdout)["slots"]
    (serving,) = [slot for slot in found.values() if slot["percent"] == 100]
    assert [slot["replicas"] for slot in found.values() if slot["percent"] == 0] == [0]
    return str(serving["version"])


def other(lab: ClusterLab) -> str:
    """The good version that does not serve."""
    return "v2" if stable(lab) == "v1" else "v1"


@pytest.mark.parametrize(
    ("strategy", "options"),
    [("rolling", ("--hold", "8s")), ("blue-green", ("--preview", "15s", "--hold", "6s", "--keep", "2s"))],
)
def test_a_good_candidate_takes_over_and_no_request_is_lost(up: ClusterLab, strategy: str, options: tuple[str, ...]) -> None:
    wanted = other(up)

    summary = rollout(up, strategy, "--to", wanted, *options, code=0)

    assert summary["outcome"] == "promoted"
    assert (summary["totals"]["failed"], summary["totals"]["downtime_seconds"]) == (0, 0), failures(up)
    assert stable(up) == wanted


def test_recreate_has_a_gap_which_is_measured(up: ClusterLab) -> None:
    wanted = other(up)

    summary = rollout(up, "recreate", "--to", wanted, "--hold", "8s", code=0)

    assert summary["outcome"] == "promoted"
    assert summary["totals"]["failed"] > 0
    assert summary["totals"]["downtime_seconds"] > 0
    assert stable(up) == wanted


@pytest.mark.parametrize(("strategy", "hold"), [("shadow", "8s"), ("ab-test", "15s")])
def test_a_good_candidate_is_compared_and_goes_again(up: ClusterLab, strategy: str, hold: str) -> None:
    """What was answered, and what was true, is known from the prediction log in the cluster."""
    serving, wanted = stable(up), other(up)

    summary = rollout(up, strategy, "--to", wanted, "--hold", hold, code=0)

    assert summary["outcome"] == "completed"
    assert summary["totals"]["failed"] == 0, failures(up)
    assert stable(up) == serving


@pytest.mark.parametrize(("strategy", "hold"), [("shadow", "20s"), ("ab-test", "40s")])
def test_a_candidate_that_is_wrong_is_found_out_and_no_request_fails(up: ClusterLab, strategy: str, hold: str) -> None:
    serving = stable(up)

    summary = rollout(up, strategy, "--to", "v2-wrong", "--hold", hold, code=1)

    assert summary["outcome"] == "rolled_back"
    assert summary["totals"]["failed"] == 0, failures(up)
    assert stable(up) == serving


def test_the_databases_password_is_nowhere_in_a_run(up: ClusterLab) -> None:
    """After all the others: their plans, events, logs and reports are what could have it."""
    (secret,) = [one for one in up.objects("secrets") if one["metadata"]["name"] == "lab-database"]
    runs = [path for path in Path(up.environment["LAB_RUNS"]).rglob("*") if path.is_file()]

    assert {"plan.json", "events.jsonl", "summary.json"} <= {path.name for path in runs}
    password = base64.b64decode(secret["data"]["password"])
    assert [path for path in runs if password in path.read_bytes()] == []
