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


def test_it_measures_every_strategy_and_tells_what_fails_when_each_part_is_down(labctl: Labctl, tmp_path: Path) -> None:
    done = labctl.run(*QUICK, "--to", str(tmp_path / "found"), "--json", timeout=580)

    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "found" / "serving.json").read_text())
    assert json.loads(done.stdout) == found
    for name in STRATEGIES:
        (figures,) = found["strategies"][name]
        assert 0 < figures["p50_seconds"] <= figures["p99_seconds"]
        # the page asks, and is drawn beside
        assert figures["page_p50_seconds"] > figures["p50_seconds"]
        assert figures["rss_bytes"] > 50e6
        assert figures["switch_seconds"] > 0
    assert found["strategies"]["database"][0]["switch_restarts"] == 0
    assert found["strategies"]["batch"][0]["fresh_seconds"] == found["strategies"]["database"][0]["fresh_seconds"]

    down = found["down"]
    for part, said in down.items():
        for name in STRATEGIES:
            assert said[name]["before"] == said[name]["after"] == "answers (v2)", (part, name, said[name])
        assert said["embedded"]["during"] == said["embedded"]["start"] == "answers (v2)"
        # 171 of the holdout by each version, and the new rows
        assert said["batch"]["before"] == said["batch"]["after"] == "2342 rows"
    answers = {(part, name): re.match("answers", said[name]["during"]) is not None for part, said in down.items() for name in STRATEGIES}
    assert {pair for pair, answered in answers.items() if not answered} == {("service", "service"), ("database", "database")}
    starts = {
        (part, name): re.match(r"answers|\d+ rows", told["start"]) is not None for part, said in down.items() for name, told in said.items()
    }
    assert {pair for pair, started in starts.items() if not started} == {
        ("store", "data"),
        ("store", "service"),
        ("store", "batch"),
        ("service", "service"),
        ("database", "database"),
        ("database", "batch"),
    }
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
