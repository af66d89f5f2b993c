"""Each promise of a canary, tried on real servers under real load."""

import json
from pathlib import Path

import httpx
import jsonschema
import psutil
import pytest

from impact.binomial import plausible
from strategies.traffic import Slot
from tests.e2e import boards
from tests.e2e.labctl import Labctl

SCHEMA = Path(__file__).parents[2] / "docs" / "summary.schema.json"
ROLLBACK_SECONDS = 1.0
"""No request sent later than this after the verdict is answered by the candidate (asserted at five times it, measured in tests/bench)."""

SERVED = boards.query("rollout", "Intended and served weight", "users_requests")
INTENDED = 'labctl_rollout_intended_weight_percent{slot="green"}'


def test_a_good_candidate_is_promoted_and_no_request_is_lost(labctl: Labctl) -> None:
    """Meanwhile every dashboard shows it, the share that it is about, and the batch that has run before."""
    observations = labctl.store / "holdout.csv"
    batch = labctl.run("predict", "batch", str(observations), "--version", "v1")
    assert batch.returncode == 0, batch.stderr
    asked = ("--weight", "10", "--rate", "150", "--hold", "26s", "--keep", "1s", "--objective-latency", "3s", "--json")
    with labctl.started("rollout", "canary", *asked) as rollout:
        labctl.wait_for_step("analyse", 120)
        prometheus = f"http://127.0.0.1:{labctl.lab().prometheus_port}"
        boards.wait_for_series(prometheus, 60, batches=True)
        # at first the window reaches back to the time before the change
        labctl.wait_for("share as intended", lambda: 5 < boards.newest(prometheus, SERVED, slot="green") < 20)
        assert boards.number(prometheus, INTENDED) == 10
        shown = httpx.get(f"http://127.0.0.1:{labctl.lab().gateway_port}/predictions", params={"limit": 1000}, trust_env=False).json()
        assert len(shown["predictions"]) == len(observations.read_text().splitlines()) - 1
        out, err = rollout.communicate(timeout=120)
    assert rollout.returncode == 0, err
    summary = json.loads(out)

    assert summary["outcome"] == "promoted"
    assert summary["totals"]["failed"] == 0
    assert summary["totals"]["downtime_seconds"] == 0
    phase = next(phase for phase in summary["phases"] if phase["name"] == "10 %")
    served, stayed = (phase["roles"][role]["requests"] for role in ("candidate", "stable"))
    assert plausible(served, served + stayed, 0.10)
    assert {verdict["verdict"] for verdict in summary["verdicts"]} == {"PASS"}
    assert summary["prometheus"][0]["prometheus"].keys() == {"blue", "green"}
    jsonschema.validate(summary, json.loads(SCHEMA.read_text()))
    assert (labctl.runs / summary["id"] / "report.html").stat().st_size > 10_000
    assert labctl.left_running() == []


def test_no_dashboard_asks_what_prometheus_refuses_or_shows_what_is_no_number_where_there_is_no_traffic(shared: Labctl) -> None:
    prometheus = f"http://127.0.0.1:{shared.lab().prometheus_port}"

    shared.wait_for("scrape", lambda: boards.ask(prometheus, 'up{job="model-api"}'))
    for asked in boards.queries():
        boards.shown(prometheus, asked)
    assert boards.ask(prometheus, '{__name__=~"labctl_rollout_.*"}') == []


@pytest.mark.parametrize(
    ("reason", "bad", "objective"), [("failed", "v2-broken", "3s"), ("slow", "v2-slow", "250ms"), ("wrong", "v2-wrong", "3s")]
)
def test_a_bad_candidate_is_rolled_back_for_its_own_reason(shared: Labctl, reason: str, bad: str, objective: str) -> None:
    """By objectives of their own, as stable's latency on a busy machine would make them generous ones."""
    summary = shared.rollout("--to", bad, "--hold", "20s", "--objective-latency", objective, code=1)

    assert summary["outcome"] == "rolled_back"
    assert {verdict["metric"] for verdict in summary["verdicts"] if verdict["verdict"] == "FAIL"} == {reason}
    assert f"candidate {reason}" in summary["reason"]
    assert summary["rollback_seconds"] <= 5 * ROLLBACK_SECONDS
    assert shared.answer().headers["x-served-by"] == "v1"


def test_a_candidate_that_never_gets_ready_never_gets_weight(shared: Labctl) -> None:
    with shared.started("rollout", "canary", "--baseline", "0s", "--timeout", "4s", "--json") as rollout:
        shared.wait_for("candidate", lambda: shared.lab().in_slot(Slot.GREEN))
        for replica in shared.lab().in_slot(Slot.GREEN):
            psutil.Process(replica.process.pid).suspend()
        out, err = rollout.communicate(timeout=60)

    assert rollout.returncode == 3, err
    summary = json.loads(out)
    assert "v2 in green is not ready" in summary["reason"]
    assert summary["first_candidate_answer_seconds"] is None


def test_a_candidate_killed_in_the_middle_is_charged_with_its_failures(shared: Labctl) -> None:
    with shared.started("rollout", "canary", "--rate", "150", "--weight", "25", "--baseline", "2s", "--hold", "20s", "--json") as rollout:
        shared.wait_for_step("analyse")
        for replica in shared.lab().in_slot(Slot.GREEN):
            psutil.Process(replica.process.pid).kill()
        out, err = rollout.communicate(timeout=60)

    assert rollout.returncode == 1, err
    summary = json.loads(out)
    assert "candidate failed" in summary["reason"]
    assert summary["totals"]["failed"] == sum(phase["roles"]["candidate"]["failed"] for phase in summary["phases"])
    assert summary["totals"]["failed"] > 0


@pytest.mark.parametrize("rate", ["0", pytest.param("3", marks=pytest.mark.everything)])
def test_too_little_load_is_inconclusive_and_says_how_much_would_do(shared: Labctl, rate: str) -> None:
    summary = shared.rollout("--rate", rate, "--hold", "3s", code=3)

    assert summary["outcome"] == "inconclusive"
    assert "would be enough" in summary["reason"]
    assert shared.answer().headers["x-served-by"] == "v1"


def test_a_lost_prometheus_ends_it_without_a_promotion(labctl: Labctl) -> None:
    with labctl.started("rollout", "canary", "--hold", "30s", "--baseline", "1s", "--json") as rollout:
        labctl.wait_for_step("analyse")
        prometheus = next(tool for tool in labctl.lab().tools if tool.name == "prometheus")
        psutil.Process(prometheus.pid).kill()
        out, err = rollout.communicate(timeout=60)

    assert rollout.returncode == 3, err
    summary = json.loads(out)
    assert summary["outcome"] == "error"
    assert "Prometheus" in summary["reason"]


@pytest.mark.everything
def test_a_copy_of_stable_is_not_rolled_back(labctl: Labctl, store: Path, tmp_path: Path) -> None:
    """A/A: the same model under another name."""
    labctl.store = tmp_path / "models"
    labctl.environment["LAB_STORE"] = str(labctl.store)
    (labctl.store / "v2-copy").mkdir(parents=True)
    for name in ("v2", "holdout.csv"):
        (labctl.store / name).symlink_to(store / name)
    card = json.loads((store / "v2" / "model.json").read_text())
    (labctl.store / "v2-copy" / "model.json").write_text(json.dumps({**card, "version": "v2-copy"}))
    (labctl.store / "v2-copy" / "model.joblib").write_bytes((store / "v2" / "model.joblib").read_bytes())

    assert labctl.rollout("--from", "v2", "--to", "v2-copy", code=0)["outcome"] == "promoted"
