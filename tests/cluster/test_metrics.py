"""What a rollout intends is in the cluster's Prometheus while it runs, pushed through the published port, and gone when it is over."""

import pytest

from tests.cluster.lab import MINUTES, ClusterLab
from tests.cluster.rollouts import other_than, require_no_metrics, rollout, stable, status
from tests.e2e import boards
from tests.waiting import wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(20 * MINUTES)]


def test_a_rollouts_metrics_are_there_while_it_runs_and_gone_when_it_is_over(lab: ClusterLab) -> None:
    candidate = next(name for name, slot in status(lab)["slots"].items() if slot["role"] != "stable")
    with rollout(lab, "--to", other_than(stable(lab)["version"]), "--rate", "50", "--hold", "120s") as live:
        intended = f'labctl_rollout_intended_weight_percent{{slot="{candidate}"}}'
        wait_for(lambda: boards.number(lab.prometheus, intended) == 50, "the intended weight is not there", 3 * MINUTES)
        counted = 'labctl_rollout_users_requests_total{slot!="nobody"} > 0'
        wait_for(lambda: boards.ask(lab.prometheus, counted) != [], "no users are counted", MINUTES)
        assert boards.number(lab.prometheus, "labctl_rollout_info") == 1
        assert len(boards.ask(lab.prometheus, "labctl_rollout_phase")) == 1, "a phase that is over is shown still"
        # every panel of every dashboard, also those of the gateway and of the replicas; test_serving has those of batches
        boards.wait_for_series(lab.prometheus, MINUTES)
        lab.labctl("abort")
        live.ended(130)
    require_no_metrics(lab)
    assert boards.ask(lab.prometheus, "count_over_time(labctl_rollout_info[10m])"), "they have been there"
