"""`labctl serving compare` as a person runs it: every figure, every part really down, and nothing left of one that is cut off."""

import json
import re
import signal
from pathlib import Path

import pytest

from tests.e2e.labctl import Labctl

pytestmark = [pytest.mark.everything, pytest.mark.timeout(600)]

QUICK = ("serving", "compare", "--repeat", "1", "--for", "1s", "--rows", "2000")
STRATEGIES = {"embedded", "data", "service", "database"}
REFUSED = {
    "during": {("service", "service"), ("database", "database"), ("database", "batch")},
    "start": {
        ("store", "data"),
        ("store", "service"),
        ("store", "batch"),
        ("service", "service"),
        ("database", "database"),
        ("database", "batch"),
    },
}
"""Without which part whom there is no answer from: of those that were there before, and of those that start then."""


def test_it_measures_every_strategy_and_tells_what_fails_when_each_part_is_down(labctl: Labctl, tmp_path: Path) -> None:
    done = labctl.run(*QUICK, "--to", str(tmp_path / "found"), "--json", timeout=580)

    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "found" / "serving.json").read_text())
    assert json.loads(done.stdout) == found
    strategies = {name: figures for name, (figures,) in found["strategies"].items()}
    for name in STRATEGIES:
        figures = strategies[name]
        assert 0 < figures["p50_seconds"] <= figures["p99_seconds"]
        # the page asks, and is drawn beside
        assert figures["page_p50_seconds"] > figures["p50_seconds"]
        assert figures["switch_seconds"] > figures["page_p50_seconds"]
    # a page that holds no model is smaller than one that does, by scikit-learn at least; a service holds it in the page's place
    for name in ("embedded", "data", "service"):
        assert strategies[name]["rss_bytes"] > strategies["database"]["rss_bytes"] + 20e6
    assert strategies["batch"]["rss_bytes"] > 50e6
    assert {name: figures["switch_restarts"] for name, figures in strategies.items() if name != "batch"} == {
        "embedded": 1,
        "data": 1,
        "service": 1,
        "database": 0,
    }
    # each was measured for itself
    assert (
        len({figures["fresh_seconds"] for figures in strategies.values()} | {one.get("p50_seconds") for one in strategies.values()}) == 10
    )
    assert strategies["database"]["fresh_seconds"] > strategies["batch"]["fresh_seconds"]

    down = found["down"]
    for part, said in down.items():
        for name in STRATEGIES:
            assert said[name]["before"] == said[name]["after"] == "answers (v2)", (part, name, said[name])
        assert said["embedded"]["during"] == said["embedded"]["start"] == "answers (v2)"
        assert said["batch"]["before"] == "100 of 100 rows"
        # the one that lost the part, run again: neither a row lost nor one doubled
        assert said["batch"]["after"] == "5000 of 5000 rows"
    answered = re.compile(r"answers|(\d+) of \1 rows$")
    for moment, refused in REFUSED.items():
        found_refused = {(part, name) for part, said in down.items() for name, told in said.items() if not answered.match(told[moment])}
        assert found_refused == refused, (moment, down)
    # it had begun when the database was taken away, and what it had written was kept
    begun = re.search(r"moved away .*; (\d+) of 5000 rows$", down["database"]["batch"]["during"])
    assert begun, down["database"]["batch"]
    assert 0 < int(begun[1]) < 5000
    page = (tmp_path / "found" / "serving.html").read_text()
    assert page.count("<svg") >= 8
    assert not re.search(r'(src|href)="(?!#)', page)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_one_that_is_cut_off_leaves_nothing_running(labctl: Labctl, tmp_path: Path, number: signal.Signals) -> None:
    """The service is the longest running of what it starts."""
    with labctl.started(*QUICK, "--to", str(tmp_path / "found")) as process:
        labctl.wait_for("service", lambda: any("app.server" in one for one in labctl.left_running()), 300)
        process.send_signal(number)
        process.wait(60)
        labctl.wait_for("end of all", lambda: labctl.left_running() == [], 60)
    assert not (tmp_path / "found" / "serving.json").exists()
