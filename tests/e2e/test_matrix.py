"""Every strategy with a good and two bad candidates, on both platforms: each ends as its definition says, and the table agrees.

All rollouts are those of one comparison, performed one by one: what exists is not repeated, so the table at the end costs nothing.
LAB_TEST_COMPARISON names a folder in which the comparisons stay, to go on with them another time.
"""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from impact.comparison import STRATEGIES, expected
from impact.rundir import RunFolder
from impact.timeline import spans
from strategies.plan import Deploy
from tests.e2e.labctl import Labctl

CANDIDATES = ("v2", "v2-broken", "v2-wrong")
MINUTES = 60.0
# slower than that is nothing but a broken machine: a busy one must not be taken for a bad candidate
ASKED = ("--rate", "100", "--users", "150", "--baseline", "5s", "--hold", "30s", "--keep", "1s", "--objective-latency", "3s")

pytestmark = [pytest.mark.everything, pytest.mark.timeout(10 * MINUTES)]

Json = dict[str, Any]
Compare = Callable[..., Json]


@pytest.fixture(scope="module", params=["local", pytest.param("kind", marks=pytest.mark.cluster)])
def compare(request: pytest.FixtureRequest, store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compare]:
    """`labctl compare` into one folder on a platform; its table. Nothing is left running afterwards."""
    kept = os.environ.get("LAB_TEST_COMPARISON")
    folder = Path(kept) / request.param if kept else tmp_path_factory.mktemp("comparison")
    common = ("compare", *ASKED, "--to", str(folder / "to"), "--json")
    if request.param == "kind":
        lab = request.getfixturevalue("cluster_lab")
        lab.serve(replicas=2)
        yield lambda *options: table(lab.labctl(*common, *options), folder / "to")
        return
    labctl = Labctl(folder, store)
    yield lambda *options: table(labctl.run(*common, *options, timeout=9 * MINUTES), folder / "to")
    labctl.home = folder / "to" / "lab"
    assert labctl.left_running() == []


def table(done: "subprocess.CompletedProcess[str]", folder: Path) -> Json:
    assert done.returncode == 0, done.stderr + (folder / "console.log").read_text()[-3000:]
    found: Json = json.loads(done.stdout)
    return {**found, "folder": folder}


def summary_of(found: Json, costs: Json) -> Json:
    summary: Json = json.loads((found["folder"] / "runs" / costs["run"] / "summary.json").read_text())
    return summary


@pytest.mark.parametrize(("strategy", "candidate"), list(product(STRATEGIES, CANDIDATES)))
def test_it_ends_as_its_definition_says(compare: Compare, strategy: str, candidate: str) -> None:
    found = compare("--strategies", strategy, "--candidates", candidate)

    (row,) = found["rows"]
    (costs,) = row["runs"]
    summary = summary_of(found, costs)
    totals = summary["totals"]
    assert summary["outcome"] == expected(strategy, candidate), summary["reason"]
    if strategy == "shadow":
        # nobody gets its answer or its failure
        assert sum(phase["roles"]["candidate"]["requests"] for phase in summary["phases"]) == 0
        assert (totals["failed"], totals["users_met_both"]) == (0, 0)
    if strategy == "recreate":
        assert totals["downtime_seconds"] > 0
    elif candidate == "v2":
        assert (totals["failed"], totals["downtime_seconds"]) == (0, 0)


def test_the_table_agrees_with_the_runs_and_performs_none_again(compare: Compare) -> None:
    """The last: with the same words all of the rollouts are there already."""
    before = compare("--strategies", "canary", "--candidates", "v2")["folder"]
    performed = {path.parent for path in before.glob("runs/*/summary.json")}

    found = compare()

    assert {path.parent for path in before.glob("runs/*/summary.json")} == performed
    assert len(found["rows"]) == len(STRATEGIES) * len(CANDIDATES)
    for row in found["rows"]:
        (costs,) = row["runs"]
        summary = summary_of(found, costs)
        assert row["as_defined"] is True
        assert costs["outcome"] == summary["outcome"]
        assert costs["failed"] == summary["totals"]["failed"] == row["spreads"]["failed"]["median"]
        for measure in ("downtime_seconds", "users_harmed", "wrong_of_candidate"):
            assert costs[measure] == summary["totals"][measure]
        assert costs["extra_pod_seconds"] == pytest.approx(summary["extra_pod_seconds"], abs=0.001)
        assert costs["harm_seconds"] == (None if summary["harm_seconds"] is None else pytest.approx(summary["harm_seconds"], abs=0.001))
    good = next(row for row in found["rows"] if (row["strategy"], row["candidate"]) == ("recreate", "v2"))
    # no start of a replica was faster than the fastest of all the others
    assert good["runs"][0]["downtime_seconds"] >= min(start_seconds(before, row["runs"][0]["run"]) for row in found["rows"])
    page = (before / "comparison.html").read_text()
    assert all(costs["run"] in page for row in found["rows"] for costs in row["runs"])


def start_seconds(folder: Path, run: str) -> float:
    """How long the run's fastest deployment took, from its beginning until its replicas were ready; infinite without one."""
    opened = RunFolder.open(folder / "runs" / run)
    took = [span.end - span.start for span in spans(opened.run, opened.events()) if isinstance(span.step, Deploy) and span.end]
    return min(took, default=float("inf"))
