"""Recording and alerting rules are rules, and do what `rules_test.yaml` says of them, as often as each Prometheus looks at them."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from platforms.local import prometheus_binary, prometheus_config
from platforms.local.lab import RULES
from tests.conftest import missing

VALUES = RULES.parent / "values.yaml"
LOCAL = re.search(r"evaluation_interval: (\w+)", prometheus_config.config(Path("/targets.json")))
CLUSTER = yaml.safe_load(VALUES.read_text())["prometheus"]["evaluationInterval"]


def promtool(*arguments: str | Path) -> str:
    program = prometheus_binary.find_promtool()
    if program is None:
        missing("promtool is neither on PATH nor beside the Prometheus that is kept")
    done = subprocess.run([str(program), *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def cases(folder: Path, interval: str) -> Path:
    """The tests of the rules, for a Prometheus that looks at them at this interval."""
    text = (Path(__file__).parent / "rules_test.yaml").read_text()
    for name, value in (("MODEL_API", RULES / "model-api.yaml"), ("ROLLOUT", RULES / "rollout.yaml"), ("EVALUATION", interval)):
        text = text.replace(name, str(value))
    (folder / "test.yaml").write_text(text)
    return folder / "test.yaml"


def test_the_rules_are_rules() -> None:
    assert "SUCCESS" in promtool("check", "rules", *RULES.glob("*.yaml"))


def test_alerts_fire_where_they_should_and_nowhere_else(tmp_path: Path) -> None:
    assert LOCAL
    assert LOCAL[1] == CLUSTER, "each of them would need a test of its own"

    assert "SUCCESS" in promtool("test", "rules", cases(tmp_path, CLUSTER))


def test_a_prometheus_that_looks_once_a_minute_is_too_slow_for_them(tmp_path: Path) -> None:
    """Else the test above would not notice one whose interval was left out: that is Prometheus' own default."""
    file = cases(tmp_path, "1m")

    with pytest.raises(AssertionError, match="RolloutShareNotAsIntended"):
        promtool("test", "rules", file)
