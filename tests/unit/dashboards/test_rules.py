"""Recording and alerting rules are rules, and do what `rules_test.yaml` says of them."""

import subprocess
from pathlib import Path

import pytest

from platforms.local import prometheus_binary
from platforms.local.lab import RULES

PROMTOOL = prometheus_binary.find_promtool()
pytestmark = pytest.mark.skipif(PROMTOOL is None, reason="promtool is neither on PATH nor beside the Prometheus that is kept")


def promtool(*arguments: str | Path) -> str:
    done = subprocess.run([str(PROMTOOL), *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_rules_are_rules() -> None:
    assert "SUCCESS" in promtool("check", "rules", *RULES.glob("*.yaml"))


def test_alerts_fire_where_they_should_and_nowhere_else(tmp_path: Path) -> None:
    text = (Path(__file__).parent / "rules_test.yaml").read_text()
    for name, file in (("MODEL_API", "model-api.yaml"), ("ROLLOUT", "rollout.yaml")):
        text = text.replace(name, str(RULES / file))
    (tmp_path / "test.yaml").write_text(text)

    assert "SUCCESS" in promtool("test", "rules", tmp_path / "test.yaml")
