"""Each strategy beside the canary does what its name means, on real servers under real load."""

import json
from typing import Any

import pytest

from strategies.events import PhaseStarted
from strategies.traffic import Slot
from tests.e2e.labctl import Labctl
from tests.e2e.staying import strayed

LOAD = ("--rate", "100", "--baseline", "2s", "--detect", "20", "--objective-latency", "1s")
"""Slower than that is nothing but a broken machine: a busy one must not be taken for a bad candidate."""


def perform(labctl: Labctl, strategy: str, *arguments: str, code: int) -> dict[str, Any]:
    """Run a short rollout that must end with `code`; its summary."""
    done = labctl.run("rollout", strategy, *LOAD, *arguments, "--json", timeout=150)
    assert done.returncode == code, f"exit code {done.returncode}, not {code}:\n{done.stdout}\n{done.stderr}"
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


def answered_by(summary: dict[str, Any], role: str) -> int:
    """Requests that went to a role."""
    return sum(phase["roles"][role]["requests"] for phase in summary["phases"])


def test_rolling_loses_nobody_and_recreate_says_how_long_nobody_was_there(shared: Labctl) -> None:
    """One after the other in the same lab, forth and back."""
    rolling = perform(shared, "rolling", "--hold", "6s", code=0)
    recreate = perform(shared, "recreate", "--hold", "6s", "--to", "v1", code=0)

    assert rolling["outcome"] == recreate["outcome"] == "promoted"
    assert rolling["totals"]["failed"] == 0
    assert rolling["totals"]["downtime_seconds"] == 0
    assert recreate["totals"]["downtime_seconds"] > 0
    # nobody was there: no version is charged with it
    assert recreate["totals"]["unattributed"] == recreate["totals"]["failed"] > 0
    assert shared.answer().headers["x-served-by"] == "v1"


def test_a_bad_version_that_is_rolled_out_in_place_is_rolled_back_in_place(shared: Labctl) -> None:
    summary = perform(shared, "rolling", "--hold", "15s", "--to", "v2-wrong", code=1)

    assert "candidate wrong" in summary["reason"]
    assert summary["totals"]["failed"] == 0
    assert {replica.version for replica in shared.lab().replicas} == {"v1"}
    assert len(shared.lab().in_slot(Slot.BLUE)) == 2


def test_what_is_bad_in_its_preview_is_met_by_no_user(shared: Labctl) -> None:
    summary = perform(shared, "blue-green", "--to", "v2-broken", "--preview", "20s", "--preview-rate", "50", code=1)

    assert summary["outcome"] == "rolled_back"
    assert answered_by(summary, "candidate") == 0
    assert summary["totals"]["failed"] == 0


def test_nobody_gets_a_shadows_answers_and_a_wrong_one_is_found(shared: Labctl) -> None:
    summary = perform(shared, "shadow", "--to", "v2-wrong", "--hold", "25s", code=1)

    assert answered_by(summary, "candidate") == 0
    assert summary["totals"]["failed"] == summary["totals"]["users_met_both"] == 0
    facts = summary["findings"][-1]["facts"]
    assert facts["copied requests"] > 0
    assert "example 1" in facts
    # what it cost the users, and what the servers say of the copies, whom nobody else can ask
    assert all(facts[f"users' {percentile} {when} (ms)"] > 0 for percentile in ("p50", "p95", "p99") for when in ("before", "while copied"))
    witness = summary["prometheus"][-1]
    assert witness["copies"]["green"]["n"] > witness["copies"]["green"]["bad"] == witness["users"]["green"]["n"] == 0


@pytest.mark.parametrize(
    "how",
    [
        pytest.param(("--split", "50"), id="sticky"),
        pytest.param(("--match", "x-user-group=beta"), id="match", marks=pytest.mark.everything),
    ],
)
def test_an_experiment_finds_the_loser_and_its_users_stay_with_one_version(shared: Labctl, how: tuple[str, str]) -> None:
    summary = perform(shared, "ab-test", *how, "--to", "v2-wrong", "--hold", "40s", code=1)

    facts = summary["findings"][-1]["facts"]
    assert summary["reason"].startswith("loser")
    assert facts["right answers, candidate (0..1)"] < facts["right answers, stable (0..1)"]
    assert strayed(shared.runs / summary["id"]) == []
    assert facts["users who met both versions"] <= summary["totals"]["users_met_both"] < 10
    assert summary["totals"]["failed"] == 0


def test_a_person_promotes_at_a_gate_pauses_and_undoes(labctl: Labctl) -> None:
    def in_phase(name: str) -> bool:
        phases = [event.name for event in labctl.events() if isinstance(event, PhaseStarted)]
        return bool(phases) and phases[-1] == name

    assert labctl.run("up").returncode == 0
    manual = ("rollout", "canary", *LOAD, "--weight", "25", "--hold", "5s", "--keep", "1s", "--manual", "--json")
    with labctl.started(*manual) as rollout:
        labctl.wait_for("gate", lambda: in_phase("gate"))
        assert labctl.run("pause").returncode == 0
        assert labctl.run("promote").returncode == 0
        out, err = rollout.communicate(timeout=90)

    assert rollout.returncode == 0, err
    assert json.loads(out)["totals"]["failed"] == 0
    assert labctl.answer().headers["x-served-by"] == "v2"
    assert labctl.run("undo").returncode == 0
    assert labctl.answer().headers["x-served-by"] == "v1"
    assert labctl.run("promote").returncode == 2
