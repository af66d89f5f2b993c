"""Whatever schemathesis makes of the API's own description is answered as described, and a good model never with a 500."""

import subprocess
import sys
from pathlib import Path

from tests.unit.app.conftest import ReplicaFactory


def schemathesis(url: str, scratch: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """All checks of schemathesis, positive and negative, against a real server."""
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{url}/openapi.json", "--checks=all", "--mode=all", "--seed=1", *options]
    return subprocess.run(command, cwd=scratch, capture_output=True, text=True, timeout=60, check=False)


def test_generated_requests_to_a_good_model_are_answered_as_described(replica: ReplicaFactory, tmp_path: Path) -> None:
    run = schemathesis(replica("v2", prediction_log=f"sqlite:///{tmp_path}/log.db").url, tmp_path, "--max-examples=40")

    assert run.returncode == 0, run.stdout
    assert "Tested: 15" in run.stdout
    assert "No issues found" in run.stdout


def test_generated_requests_do_find_a_model_that_fails(replica: ReplicaFactory, tmp_path: Path) -> None:
    """Else the test above would pass whatever happened."""
    run = schemathesis(
        replica("v2-broken").url, tmp_path, "--phases=fuzzing", "--max-examples=20", "--include-path=/predict", "--no-shrink"
    )

    assert run.returncode == 1
    assert "Server error" in run.stdout
