"""What a rollout intends is in the cluster's Prometheus while it runs, pushed through the published port, and gone when it is over."""

import json
import time
from collections.abc import Callable

import pytest

from tests.cluster.conftest import MINUTES, ClusterLab
from tests.e2e import boards

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(20 * MINUTES)]

ANY = '{__name__=~"labctl_rollout_.+"}'
GONE_SECONDS = 5.0
"""Without an end to its series Prometheus would show the last values for five minutes more (asserted at five times it)."""


def until(true: Callable[[], object], what: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.2)


def test_a_rollouts_metrics_are_there_while_it_runs_and_gone_when_it_is_over(lab: ClusterLab) -> None:
    lab.labctl("up", "--replicas", "2")
    slots = json.loads(lab.labctl("status", "--json").stdout)["slots"]
    serving = next(slot["version"] for slot in slots.values() if slot["role"] == "stable")
    other = "v2" if serving == "v1" else "v1"
    rollout = lab.start("rollout", "canary", "--to", other, "--rate", "50", "--weight", "50", "--baseline", "1s", "--hold", "120s")
    try:
        intended = f'labctl_rollout_intended_weight_percent{{slot="{_candidate(slots)}"}}'
        until(lambda: boards.number(lab.prometheus, intended) == 50, "the intended weight is not there", 3 * MINUTES)
        until(
            lambda: boards.ask(lab.prometheus, 'labctl_rollout_users_requests_total{slot!="nobody"} > 0'), "no users are counted", MINUTES
        )
        assert boards.number(lab.prometheus, "labctl_rollout_info") == 1
        assert len(boards.ask(lab.prometheus, "labctl_rollout_phase")) == 1, "a phase that is over is shown still"
        # every panel of every dashboard, also those of the gateway and of the replicas
        boards.wait_for_series(lab.prometheus, MINUTES)
        lab.labctl("abort")
        _, said = rollout.communicate(timeout=3 * MINUTES)
        assert rollout.returncode == 130, said
    finally:
        rollout.kill()
        rollout.communicate()
    until(lambda: boards.ask(lab.prometheus, ANY) == [], "they are shown still", 5 * GONE_SECONDS)
    assert boards.ask(lab.prometheus, "count_over_time(labctl_rollout_info[10m])"), "they have been there"


def _candidate(slots: dict[str, dict[str, object]]) -> str:
    return next(name for name, slot in slots.items() if slot["role"] != "stable")
