"""Whatever ends a rollout, and wherever: users keep one version that answers, and nothing is left behind."""

import json
import signal

import pytest

from strategies.events import Ended, StepEnded, StepStarted
from tests.e2e.labctl import Labctl
from tests.e2e.seed import chosen

QUICK = ("--rate", "200", "--weight", "50", "--hold", "2s", "--baseline", "1s", "--keep", "1s", "--detect", "30")
"""What is judged matters little here, so half of the users judge it in two seconds."""
STEPS = ("baseline", "deploy 1", "route 50 %", "analyse", "deploy 2", "route 100 %", "promote", "hold", "drain", "retire")
PROMOTE = STEPS.index("promote")
_random = chosen("signal")
BEFORE, AFTER = _random.randrange(PROMOTE), _random.randrange(PROMOTE + 1, len(STEPS))


def at_every_step(name: str, before: str, after: str) -> pytest.MarkDecorator:
    """Every step with both values of `name`; only the two seeded pairs where not everything is tried."""
    chosen = {(BEFORE, before), (AFTER, after)}
    pairs = [
        pytest.param(step, value, id=f"{words}-{value}", marks=[] if (step, value) in chosen else pytest.mark.everything)
        for step, words in enumerate(STEPS)
        for value in (before, after)
    ]
    return pytest.mark.parametrize(("step", name), pairs)


def wait_for(labctl: Labctl, step: int) -> None:
    labctl.wait_for(STEPS[step], lambda: any(isinstance(event, StepStarted) and event.index == step for event in labctl.events()))


def promotion_written(labctl: Labctl) -> bool:
    return any(isinstance(event, StepEnded) and event.index == PROMOTE and not event.way_back for event in labctl.events())


def require_one_version(labctl: Labctl, version: str) -> None:
    """One slot with all the traffic and its replicas ready, the other empty."""
    slots = json.loads(labctl.run("status", "--json").stdout)["slots"].values()
    serving = [slot for slot in slots if slot["percent"] == 100]
    assert [(slot["version"], slot["ready"], slot["role"]) for slot in serving] == [(version, 2, "stable")]
    assert [slot["replicas"] for slot in slots if slot["percent"] == 0] == [0]


@at_every_step("name", "SIGINT", "SIGTERM")
def test_a_signal_leads_back_before_promotion_and_on_after_it(labctl: Labctl, step: int, name: str) -> None:
    with labctl.started("rollout", "canary", *QUICK, "--json") as rollout:
        wait_for(labctl, step)
        rollout.send_signal(signal.Signals[name])
        out, err = rollout.communicate(timeout=90)

    promoted = promotion_written(labctl)
    # a step of a few milliseconds may have ended before the signal was heard
    assert promoted or step <= PROMOTE
    assert promoted is False or step >= PROMOTE - 1
    summary = json.loads(out)
    assert (rollout.returncode, summary["outcome"]) == ((0, "promoted") if promoted else (130, "interrupted")), err
    assert ("after promotion, so the rest was completed" if promoted else "before promotion; rolled back") in summary["reason"]
    assert labctl.left_running() == []


@pytest.mark.everything
def test_a_way_back_that_was_killed_ends_as_it_would_have_without_that(labctl: Labctl) -> None:
    """Its verdict is on disk before the way back begins, and whoever resumes it does not judge anew."""
    assert labctl.run("up").returncode == 0
    with labctl.started("rollout", "canary", *QUICK, "--to", "v2-broken", "--hold", "60s") as rollout:
        labctl.wait_for("way back", lambda: any(isinstance(event, StepStarted) and event.way_back for event in labctl.events()))
        rollout.kill()
        rollout.wait(timeout=30)
        killed = labctl.events()

    done = labctl.run("resume", "--json")

    assert not any(isinstance(event, Ended) for event in killed)
    summary = json.loads(done.stdout)
    assert (done.returncode, summary["outcome"]) == (1, "rolled_back"), done.stderr
    assert "failed" in summary["reason"]
    require_one_version(labctl, "v1")


def test_the_next_rollout_ends_what_a_killed_one_left(labctl: Labctl) -> None:
    assert labctl.run("up").returncode == 0
    with labctl.started("rollout", "canary", *QUICK) as rollout:
        labctl.wait_for_step("analyse")
        rollout.kill()

    done = labctl.run("rollout", "canary", *QUICK)

    assert done.returncode == 0, done.stderr
    assert "left behind by a labctl that died" in done.stderr
    require_one_version(labctl, "v2")


def test_abort_ends_a_live_rollout(labctl: Labctl) -> None:
    assert labctl.run("up").returncode == 0
    with labctl.started("rollout", "canary", *QUICK, "--hold", "30s") as rollout:
        labctl.wait_for_step("analyse")
        done = labctl.run("abort", "--json")
        rollout.communicate(timeout=30)

    assert (done.returncode, rollout.returncode) == (0, 130)
    assert json.loads(done.stdout)["outcome"] == "interrupted"
    require_one_version(labctl, "v1")


def test_a_second_rollout_is_refused_by_the_name_of_the_first(labctl: Labctl) -> None:
    with labctl.started("rollout", "canary", *QUICK, "--hold", "30s"):
        labctl.wait_for_step("analyse")

        second = labctl.run("rollout", "canary", "--to", "v2-wrong")

        assert second.returncode == 3
        assert f"labctl rollout canary {' '.join(QUICK)}" in second.stderr
