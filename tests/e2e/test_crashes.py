"""A labctl that is killed (SIGKILL) in any step of any strategy: stable goes on serving, and `resume` or `abort` ends what it left."""

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from strategies.events import StepEnded, StepStarted
from tests.e2e.asking import asked_all_the_time
from tests.e2e.labctl import Labctl
from tests.e2e.seed import chosen

LOAD = ("--rate", "120", "--baseline", "2s", "--detect", "40", "--objective-latency", "3s")
"""What is judged matters little here, so few seconds judge it; slower than that is nothing but a broken machine."""
# our own preview users may take five seconds to start where others use the machine, and the time of the preview runs meanwhile
SHORT = {
    "recreate": ("--hold", "3s"),
    "rolling": ("--hold", "3s"),
    "blue-green": ("--preview", "12s", "--preview-rate", "60", "--hold", "3s", "--keep", "1s"),
    "canary": ("--weight", "50", "--hold", "3s", "--keep", "1s"),
    "ab-test": ("--split", "50", "--hold", "8s", "--keep", "1s"),
    "shadow": ("--hold", "6s", "--keep", "1s"),
}
STEPS = {
    "recreate": ("baseline", "exchange", "analyse", "promote"),
    "rolling": ("baseline", "exchange", "analyse", "promote"),
    "blue-green": ("baseline", "deploy", "route", "analyse", "route", "analyse", "promote", "hold", "drain", "retire"),
    "canary": ("baseline", "deploy", "route", "analyse", "deploy", "route", "promote", "hold", "drain", "retire"),
    "ab-test": ("baseline", "deploy", "route", "analyse", "route", "drain", "retire"),
    "shadow": ("baseline", "deploy", "route", "analyse", "route", "drain", "retire"),
}
LEAVES_STABLE = {"ab-test", "shadow"}
"""Their good candidates are found to be good, and go."""


def crashes() -> list[Any]:
    """Every step with both commands; of each strategy one seeded pair where not everything is tried."""
    found = []
    for strategy, steps in STEPS.items():
        random = chosen(f"crash/{strategy}")
        seeded = random.randrange(len(steps)), random.choice(["resume", "abort"])
        found += [
            pytest.param(
                strategy,
                step,
                command,
                id=f"{strategy}-{step + 1}-{words}-{command}",
                marks=[] if (step, command) == seeded else pytest.mark.everything,
            )
            for step, words in enumerate(steps)
            for command in ("resume", "abort")
        ]
    return found


@pytest.mark.parametrize(("strategy", "step", "command"), crashes())
def test_a_crash_at_any_step_leaves_one_version_serving_and_is_ended(shared: Labctl, strategy: str, step: int, command: str) -> None:
    serving = shared.answer().headers["x-served-by"]
    wanted = "v2" if serving == "v1" else "v1"
    # nobody answers while it recreates, and that is what its name means
    with nullcontext() if strategy == "recreate" else asked_all_the_time(shared):
        with shared.started("rollout", strategy, *LOAD, *SHORT[strategy], "--to", wanted) as rollout:
            wait_for(shared, strategy, step)
            rollout.kill()
        shared.wait_for("end of the users", lambda: not any("locust" in line for line in shared.left_running()), timeout=15)
        promoted = promotion_written(shared)
        require_true_status(shared, {serving, wanted} if STEPS[strategy][step] == "exchange" else set())
        if STEPS[strategy][step] != "exchange" or strategy != "recreate":
            assert {shared.answer().status_code for _ in range(5)} == {200}

        done = shared.run(command, "--json")

    outcome = json.loads(done.stdout)["outcome"] if done.stdout else done.stderr
    ended_by_itself = strategy in LEAVES_STABLE and command == "resume"
    forward = promoted or (command == "resume" and strategy not in LEAVES_STABLE)
    assert outcome == ("completed" if ended_by_itself else "promoted" if forward else "interrupted"), done.stderr
    assert done.returncode == 0
    require_one_version(shared, wanted if forward else serving)


def wait_for(labctl: Labctl, strategy: str, step: int) -> None:
    """Wait until a step has started, and see that it is the one that the test is named for."""

    def started() -> list[StepStarted]:
        return [event for event in labctl.events() if isinstance(event, StepStarted) and event.index == step]

    labctl.wait_for(STEPS[strategy][step], started)
    assert started()[0].title.startswith(STEPS[strategy][step])


def promotion_written(labctl: Labctl) -> bool:
    """Whether the end of the newest run's promotion is on disk."""
    plan = json.loads(max(labctl.runs.glob("*/plan.json")).read_text())["plan"]
    promote = {index for index, step in enumerate(plan["steps"]) if step["type"] == "Promote"}
    return any(isinstance(event, StepEnded) and event.index in promote and not event.way_back for event in labctl.events())


def require_true_status(labctl: Labctl, exchanged: set[str]) -> None:
    """`status` tells what was left behind, how many replicas there are, and who answers; `exchanged` may be there beside what it names."""
    found = json.loads(labctl.run("status", "--json").stdout)
    assert (found["left_behind"], found["holder"]) == (True, None)
    assert Path(found["run"]).name == max(labctl.runs.glob("*")).name
    slots = found["slots"].values()
    assert sum(slot["percent"] for slot in slots) == 100
    assert sum(slot["replicas"] for slot in slots) == len(labctl.lab().replicas)
    named = {slot["version"] for slot in slots if slot["percent"]} | exchanged
    answers = [labctl.answer() for _ in range(5)]
    assert {answer.headers["x-served-by"] for answer in answers if answer.status_code == 200} <= named


def require_one_version(labctl: Labctl, version: str) -> None:
    """One slot with all the traffic and its replicas ready, the other empty; nobody of the run is left."""
    found = json.loads(labctl.run("status", "--json").stdout)
    slots = found["slots"].values()
    assert [(slot["version"], slot["ready"], slot["role"]) for slot in slots if slot["percent"] == 100] == [(version, 2, "stable")]
    assert [slot["replicas"] for slot in slots if slot["percent"] == 0] == [0]
    assert (found["left_behind"], found["run"], found["holder"]) == (False, None, None)
    assert not any("locust" in line for line in labctl.left_running())
