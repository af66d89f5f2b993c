"""`labctl compare`: what was performed is not performed again, whatever ended it, and its table agrees with the runs."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.labctl import Labctl

TINY = ("compare", "--candidates", "v2-broken", "--rate", "60", "--baseline", "2s", "--hold", "15s", "--keep", "0s")


def runs(folder: Path) -> set[str]:
    return {path.parent.name for path in folder.glob("runs/*/summary.json")}


@pytest.mark.parametrize(
    ("options", "words"),
    [(["--strategies", "magic"], "magic is no strategy"), (["--candidates", "v9"], "no version 'v9'"), (["--candidates", ","], "nothing")],
)
def test_nonsense_is_refused_before_anything_is_started(labctl: Labctl, tmp_path: Path, options: list[str], words: str) -> None:
    done = labctl.run("compare", *options, "--to", str(tmp_path / "to"))

    assert done.returncode == 2
    assert words in done.stderr.replace("\n", " ")
    assert not (tmp_path / "to").exists()


@pytest.mark.everything
def test_a_comparison_goes_on_where_it_was_interrupted(labctl: Labctl, tmp_path: Path) -> None:
    labctl.home, labctl.runs = tmp_path / "to" / "lab", tmp_path / "to" / "runs"
    asked = (*TINY, "--strategies", "recreate,canary", "--to", str(tmp_path / "to"))
    with labctl.started(*asked) as first:
        labctl.wait_for("first run", lambda: len(runs(tmp_path / "to")) == 1, timeout=150)
        labctl.wait_for("second run", lambda: len(list(labctl.runs.glob("*"))) == 2, timeout=60)
        first.send_signal(signal.SIGINT)
        out, err = first.communicate(timeout=120)
    assert first.returncode == 130, err
    assert "not run" in out
    assert labctl.left_running() == []
    before = runs(tmp_path / "to")

    done = labctl.run(*asked, "--json", timeout=170)

    assert done.returncode == 0, done.stderr
    assert "1 of them were performed before" in done.stderr
    again = labctl.run(*asked, "--json")
    assert again.returncode == 0
    document: dict[str, Any] = json.loads(again.stdout)
    assert document["rows"] == json.loads(done.stdout)["rows"]
    used = {costs["run"]: costs for row in document["rows"] for costs in row["runs"]}
    assert len(used) == 2
    assert len(before & used.keys()) >= 1
    for name, costs in used.items():
        summary = json.loads((labctl.runs / name / "summary.json").read_text())
        assert (costs["outcome"], costs["failed"]) == (summary["outcome"], summary["totals"]["failed"])
        assert costs["extra_pod_seconds"] == pytest.approx(summary["extra_pod_seconds"], abs=0.001)
    assert (tmp_path / "to" / "comparison.html").stat().st_size > 10_000


@pytest.mark.everything
def test_other_options_are_another_rollout(labctl: Labctl, tmp_path: Path) -> None:
    labctl.home, labctl.runs = tmp_path / "to" / "lab", tmp_path / "to" / "runs"
    asked = (*TINY, "--strategies", "canary", "--to", str(tmp_path / "to"))
    assert labctl.run(*asked, timeout=120).returncode == 0

    done = labctl.run(*asked, "--seed", "2", timeout=120)

    assert "0 of them were performed before" in done.stderr
    assert len(runs(tmp_path / "to")) == 2
