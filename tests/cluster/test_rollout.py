"""A canary on a real cluster under load, and one rollout at a time. The tests share a lab; each ends with one version that serves."""

import json

import pytest

from impact.binomial import plausible
from tests.cluster.lab import MINUTES, ClusterLab
from tests.cluster.rollouts import QUICK, failures, rollout

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(20 * MINUTES)]

LONG = (*QUICK, "--hold", "60s")


def test_a_good_candidate_is_promoted_and_no_request_is_lost(up: ClusterLab, versions: list[str]) -> None:
    other = versions[-1]

    summary = json.loads(up.labctl("rollout", "canary", *QUICK, "--to", other, "--weight", "25", "--hold", "10s", "--json").stdout)

    assert summary["outcome"] == "promoted"
    assert summary["totals"]["failed"] == 0, failures(up)
    assert summary["totals"]["downtime_seconds"] == 0
    phase = next(phase for phase in summary["phases"] if phase["name"] == "25 %")
    served, stayed = (phase["roles"][role]["requests"] for role in ("candidate", "stable"))
    assert plausible(served, served + stayed, 0.25)
    assert summary["prometheus"][0]["prometheus"].keys() == {"blue", "green"}
    pods = [pod["metadata"]["labels"]["lab/version"] for pod in up.objects("pods") if "lab/slot" in pod["metadata"]["labels"]]
    assert pods == [other, other]


def test_a_second_rollout_is_refused_by_the_name_of_the_first(up: ClusterLab, versions: list[str]) -> None:
    with rollout(up, "--hold", "60s", "--to", versions.pop()) as live:
        live.reaches("analyse")
        said = up.labctl("rollout", "canary", "--to", "v2-wrong", code=3).stderr
        assert f"labctl rollout canary {' '.join(LONG)}" in said
        up.labctl("abort")
        live.ended(130)
