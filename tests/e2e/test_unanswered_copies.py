"""A shadow whose candidate gets copies and does not answer them well is rolled back as bad, though the prediction log has none of it."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from strategies.traffic import Slot
from tests.e2e.labctl import Labctl
from tests.v3 import with_v3

pytestmark = pytest.mark.everything

SHADOW = ("rollout", "shadow", "--rate", "100", "--baseline", "2s", "--detect", "20", "--objective-latency", "3s", "--json")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, store: Path) -> Iterator[Labctl]:
    """A lab with v1, and a v3 whose card takes no tumour as large as most are: it refuses these with status 422."""
    folder = tmp_path_factory.mktemp("unanswered")
    card = with_v3(store, folder / "models") / "v3" / "model.json"
    model = json.loads(card.read_text())
    model["features"][0]["maximum"] = 13.0
    card.write_text(json.dumps(model))
    lab = Labctl(folder, folder / "models")
    done = lab.run("up")
    assert done.returncode == 0, done.stderr
    yield lab
    lab.end()
    assert lab.left_running() == []


def require_bad(lab: Labctl, returncode: int, out: str, err: str) -> dict[str, Any]:
    """It was found out, and no user noticed."""
    assert returncode == 1, f"{out}\n{err}"
    summary: dict[str, Any] = json.loads(out)
    failed = next(verdict for verdict in summary["verdicts"] if verdict["metric"] == "failed")
    assert summary["outcome"] == "rolled_back"
    assert failed["verdict"] == "FAIL"
    assert failed["candidate"]["bad"] > failed["stable"]["bad"]
    assert summary["totals"]["failed"] == 0
    answer = httpx.get(f"http://127.0.0.1:{lab.lab().gateway_port}/version", trust_env=False)
    assert answer.headers["x-served-by"] == "v1"
    return summary


def test_one_that_refuses_copies_is_bad(lab: Labctl) -> None:
    done = lab.run(*SHADOW, "--hold", "10s", "--to", "v3", timeout=150)

    summary = require_bad(lab, done.returncode, done.stdout, done.stderr)
    facts = summary["findings"][-1]["facts"]
    assert "with status 422" in summary["reason"]
    assert facts["copies that the candidate answered, by its own count"] > facts["of them failed (no 2xx)"]
    assert facts["of them failed (no 2xx)"] == facts["of them with status 422"] > 0
    assert 0 < facts["p50 of copies in the candidate's replicas (s)"] <= facts["p99 of copies in the candidate's replicas (s)"]
    assert summary["prometheus"][-1]["copies"]["green"]["bad"] > 0


def test_one_that_hangs_on_copies_is_bad(lab: Labctl) -> None:
    """Only the candidate's replicas are started with this fault."""
    done = lab.run(*SHADOW, "--hold", "8s", "--to", "v2", timeout=150, environment={"MODEL_API_LATENCY_SECONDS": "60"})

    assert "had not answered" in require_bad(lab, done.returncode, done.stdout, done.stderr)["reason"]


def test_one_whose_replicas_die_is_bad(lab: Labctl) -> None:
    with lab.started(*SHADOW, "--hold", "20s", "--to", "v2") as rollout:
        lab.wait_for_step("analyse")
        for replica in lab.lab().in_slot(Slot.GREEN):
            os.kill(replica.process.pid, signal.SIGKILL)
        out, err = rollout.communicate(timeout=120)

    assert "did not answer Prometheus either" in require_bad(lab, rollout.returncode, out, err)["reason"]
