"""`labctl status --watch` shows a rollout of another terminal, and ends as that one does."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.labctl import Labctl

ROLLOUT = ("rollout", "canary", "--rate", "20", "--weight", "50", "--baseline", "1s", "--hold", "90s", "--keep", "0s")
"""It stays in its analysis until somebody steers it, so that no outcome depends on how fast the machine is."""


@contextmanager
def rolling_out(labctl: Labctl, *more: str) -> Iterator[subprocess.Popen[str]]:
    """A rollout that is under way, and whose run is the newest one."""
    before = set(labctl.runs.glob("*"))
    with labctl.started(*ROLLOUT, *more) as rollout:
        labctl.wait_for("new run", lambda: set(labctl.runs.glob("*")) - before, timeout=60)
        labctl.wait_for_step("baseline", timeout=60)
        yield rollout


def test_nothing_to_watch_is_a_wrong_usage(labctl: Labctl) -> None:
    done = labctl.run("status", "--watch")

    assert done.returncode == 2
    assert "no rollout is under way" in done.stderr


@pytest.mark.parametrize(
    ("words", "code", "outcome"),
    [
        (["abort"], 130, "interrupted"),
        pytest.param(["promote", "--full"], 0, "promoted", marks=pytest.mark.everything),
    ],
)
def test_a_watcher_sees_every_step_and_ends_with_the_rollouts_exit_code(shared: Labctl, words: list[str], code: int, outcome: str) -> None:
    """The promotion last: it leaves v2 stable."""
    with rolling_out(shared) as rollout, shared.started("status", "--watch") as watching:
        shared.wait_for_step("analyse", timeout=90)
        assert shared.run(*words).returncode == 0
        _, told = rollout.communicate(timeout=90)
        _, seen = watching.communicate(timeout=30)

    assert (rollout.returncode, watching.returncode) == (code, code), told + seen
    for said in ("baseline: watch stable", "route 50 %", f"{outcome}: "):
        assert said in seen
        assert said in told


def test_a_watcher_that_is_ended_leaves_the_rollout_alone_and_one_whose_labctl_dies_says_so(shared: Labctl) -> None:
    watching = ("status", "--watch")
    with rolling_out(shared, "--force") as rollout, shared.started(*watching) as first, shared.started(*watching) as second:
        for watcher in (first, second):
            assert watcher.stderr is not None
            assert "is under way" in watcher.stderr.readline()
        first.send_signal(signal.SIGINT)
        first.communicate(timeout=60)
        assert first.returncode == 130
        assert rollout.poll() is None

        rollout.kill()
        _, seen = second.communicate(timeout=60)

    assert second.returncode == 3
    assert "`labctl resume` goes on with it" in seen.replace("\n", " ")
