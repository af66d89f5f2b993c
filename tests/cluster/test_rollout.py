"""A canary on a real cluster under load, and one rollout at a time. The tests share a lab; each ends with one version that serves."""

import json

import pytest

from impact.binomial import plausible
from tests.cluster.lab import MINUTES, ClusterLab
from tests.cluster.lives import SECOND, Lives, lives, seconds
from tests.cluster.rollouts import QUICK, Json, events, failures, rollout

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(20 * MINUTES)]

PLANNED = (
    ("baseline", (2, 0)),
    ("deploy", None),
    ("route", (2, 1)),
    ("analyse", (2, 1)),
    ("deploy", None),
    ("route", (2, 2)),
    ("promote", (2, 2)),
    ("hold", (2, 2)),
    ("drain", (2, 2)),
    ("retire", None),
)
"""How many pods of the old and of the new version there are from a step's beginning to its end; None where that is what it changes.

So no weight is given before there is somebody to carry it, and the old version stays until nobody could need it any more.
"""
LONG = (*QUICK, "--hold", "60s")


def require_planned_pods(pods: Lives, happened: list[Json], versions: list[str]) -> None:
    """At both ends of each step there were as many pods of each version as planned, and the old ones were told to end after the hold."""
    started, ended = (
        {event["index"]: seconds(event["at"]) for event in happened if event["type"] == kind} for kind in ("StepStarted", "StepEnded")
    )
    titles = [event["title"].replace(":", "").split()[0] for event in happened if event["type"] == "StepStarted"]
    assert titles == [title for title, _ in PLANNED]
    for index, (title, planned) in enumerate(PLANNED):
        for moment in (started[index], ended[index]) if planned else ():
            surely, possibly = ([count(moment, version) for version in versions] for count in (pods.surely_at, pods.serving_at))
            assert all(low <= wanted <= high for low, wanted, high in zip(surely, planned or (), possibly, strict=True)), (
                f"at {title}: {surely} to {possibly} and not {planned}: {pods.of}"
            )
    told = [life.told_to_end for life in pods.of.values() if life.version == versions[0]]
    assert len(told) == 2
    assert all(ended[titles.index("hold")] - SECOND < moment <= ended[titles.index("retire")] for moment in told)


def test_a_good_candidate_is_promoted_and_no_request_is_lost(up: ClusterLab, versions: list[str]) -> None:
    other = versions[-1]

    with lives(up) as pods:
        summary = json.loads(up.labctl("rollout", "canary", *QUICK, "--to", other, "--weight", "25", "--hold", "10s", "--json").stdout)

    assert summary["outcome"] == "promoted"
    assert summary["totals"]["failed"] == 0, failures(up)
    assert summary["totals"]["downtime_seconds"] == 0
    phase = next(phase for phase in summary["phases"] if phase["name"] == "25 %")
    served, stayed = (phase["roles"][role]["requests"] for role in ("candidate", "stable"))
    assert plausible(served, served + stayed, 0.25)
    assert summary["prometheus"][0]["prometheus"].keys() == {"blue", "green"}
    left = [pod["metadata"]["labels"]["lab/version"] for pod in up.objects("pods") if "lab/slot" in pod["metadata"]["labels"]]
    assert left == [other, other]
    require_planned_pods(pods, events(up), versions)


def test_a_second_rollout_is_refused_by_the_name_of_the_first(up: ClusterLab, versions: list[str]) -> None:
    with rollout(up, "--hold", "60s", "--to", versions.pop()) as live:
        live.reaches("analyse")
        said = up.labctl("rollout", "canary", "--to", "v2-wrong", code=3).stderr
        assert f"labctl rollout canary {' '.join(LONG)}" in said
        up.labctl("abort")
        live.ended(130)
