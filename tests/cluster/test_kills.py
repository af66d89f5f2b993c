"""A labctl that is killed at any step of a canary: what is left is told, users are answered, and another checkout ends it or goes on."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cluster.lab import MINUTES, ClusterLab
from tests.cluster.rollouts import ROUTES, bystander, events, other_than, require_no_metrics, require_one_version, rollout, stable, status
from tests.e2e.seed import SEED, chosen

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(20 * MINUTES)]

STEPS = ("baseline", "deploy 1", "route 50 %", "analyse", "deploy 2", "route 100 %", "promote", "hold", "drain", "retire")
PROMOTE = STEPS.index("promote")
CHOSEN = {command: chosen(f"kills/{command}").randrange(len(STEPS)) for command in ("abort", "resume")}
"""The step that is tried of each command in every run of the tests; a test's name tells it."""

EVERY_STEP = [
    pytest.param(step, command, id=f"{words}-{command}-seed {SEED}", marks=[] if CHOSEN[command] == step else pytest.mark.everything)
    for step, words in enumerate(STEPS)
    for command in CHOSEN
]


@contextmanager
def another_checkout(lab: ClusterLab, folder: Path) -> Iterator[None]:
    """Nothing of the run is to be found but what the cluster knows, and no model was ever trained there."""
    names = ("LAB_RUNS", "LAB_HOME", "LAB_STORE")
    before = {name: lab.environment[name] for name in names}
    lab.environment |= {name: str(folder / name) for name in names}
    try:
        yield
    finally:
        lab.environment |= before


def require_true_status(lab: ClusterLab) -> None:
    """What `labctl status` says is what the cluster's objects say."""
    found = status(lab)
    assert (found["holder"], found["left_behind"]) == (None, True)
    shares = {"blue": 0, "green": 0}
    for route in json.loads(lab.kubectl("get", ROUTES, "--output", "json"))["spec"]["http"][-1]["route"]:
        shares[route["destination"]["host"].split(".")[0].removeprefix("model-api-")] = route["weight"]
    made = {one["metadata"]["name"]: one for one in lab.objects("deployments") if one["metadata"]["name"].startswith("model-api-")}
    for name, slot in found["slots"].items():
        deployment = made.get(f"model-api-{name}")
        if deployment and deployment["metadata"].get("deletionTimestamp"):
            deployment = None
        assert slot["percent"] == shares[name]
        assert slot["version"] == (deployment["metadata"]["labels"]["lab/version"] if deployment else None)
        assert slot["replicas"] == (deployment["spec"]["replicas"] if deployment else 0)


@pytest.mark.parametrize(("step", "command"), EVERY_STEP)
def test_a_killed_labctl_leaves_what_another_checkout_ends_or_goes_on_with(up: ClusterLab, step: int, command: str, tmp_path: Path) -> None:
    before = stable(up)["version"]
    after = other_than(before)
    with bystander(up) as user:
        with rollout(up, "--to", after) as live:
            live.waits_for(lambda event: event["type"] == "StepStarted" and event["index"] == step, f"no step {STEPS[step]}")
            live.process.kill()
            live.process.wait()
        promoted = any(event["type"] == "StepEnded" and event["index"] == PROMOTE for event in events(up))
        with another_checkout(up, tmp_path):
            require_true_status(up)
            summary = json.loads(up.labctl(command, "--json").stdout)

    forward = promoted or command == "resume"
    assert summary["outcome"] == ("promoted" if forward else "interrupted")
    assert user.failed == []
    require_one_version(up, after if forward else before)
    require_no_metrics(up)
