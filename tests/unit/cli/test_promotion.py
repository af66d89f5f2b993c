"""What `labctl undo` takes back: the promotion of what serves now, and nothing older."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from cli.labs import Lab, Serving
from cli.performing import Stable
from cli.promotion import last_promotion, plan_back, users_meanwhile
from impact.environment import environment
from impact.rundir import RunFolder
from impact.summary import summarise
from strategies.errors import UsageError
from strategies.events import Ended, Outcome
from strategies.plan import Deploy, Hold, Plan, Release
from strategies.run import JudgeOptions, LoadOptions, Run
from strategies.traffic import Slot

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
Ran = Callable[..., RunFolder]


class OneLab:
    """As much of a lab as is asked: what serves on it, and the last promotion that it knows of itself."""

    name = "kind"

    def __init__(self, version: str, known: RunFolder | None = None) -> None:
        self._version = version
        self._known = known

    def promotion(self) -> RunFolder | None:
        return self._known

    def serving(self) -> Serving:
        return Serving(stable=Slot.BLUE, version=self._version, replicas=2)


def lab(version: str, known: RunFolder | None = None) -> Lab:
    return cast("Lab", OneLab(version, known))


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ran:
    """Leaves a run that has ended in the folder of runs, or in another one."""
    monkeypatch.setenv("LAB_RUNS", str(tmp_path / "runs"))

    def leave(name: str, to: str, *, platform: str = "kind", outcome: Outcome = Outcome.PROMOTED, runs: str = "runs") -> RunFolder:
        options: dict[str, Any] = {"load": LoadOptions(), "judge": JudgeOptions(), "timeout": 60.0, "command": ("labctl",)}
        plan = Plan(strategy="canary", replicas=2, steps=(Hold(1.0, "hold"),))
        run = Run(
            id=name,
            started=AT,
            platform=platform,
            from_version="v1",
            to_version=to,
            stable=Slot.BLUE,
            candidate=Slot.GREEN,
            plan=plan,
            **options,
        )
        folder = RunFolder.create(tmp_path / runs, run)
        folder.write(Ended(at=AT, outcome=outcome, exit_code=0, reason="done"))
        folder.write_summary(summarise(run, folder.events(), [], environment(run)))
        return folder

    return leave


def test_the_newest_promotion_on_the_same_platform_is_taken_back(ran: Ran) -> None:
    ran("1-old", "v2")
    wanted = ran("2-newer", "v2")
    ran("3-rolled-back", "v3", outcome=Outcome.ROLLED_BACK)
    ran("4-elsewhere", "v2", platform="local")

    assert last_promotion(lab("v2")).path == wanted.path


def test_what_the_lab_knows_of_another_machine_is_newer_than_what_this_one_did(ran: Ran) -> None:
    ran("1-here", "v2")
    there = ran("2-there", "v3", runs="there")

    assert last_promotion(lab("v3", there)).path == there.path


def test_a_promotion_that_is_no_longer_what_serves_is_not_taken_back(ran: Ran) -> None:
    """Somebody else has promoted v3 since: the version before v2 is not the one before v3."""
    ran("1-here", "v2")

    with pytest.raises(UsageError, match="1-here, and v3 serves now"):
        last_promotion(lab("v3"))


def test_without_a_promotion_there_is_nothing_to_undo(ran: Ran) -> None:
    ran("1-here", "v2", outcome=Outcome.ROLLED_BACK)

    with pytest.raises(UsageError, match="nothing was promoted yet"):
        last_promotion(lab("v1"))


def serving(replicas: int) -> Stable:
    return Stable(slot=Slot.GREEN, release=Release(version="v2", replicas=replicas))


@pytest.mark.parametrize(
    ("now", "before", "replicas"),
    [
        (3, Release(version="v1", replicas=4), 3),
        (0, Release(version="v1", replicas=4), 4),
        (0, None, 2),
        (0, Release(version="v1", replicas=0), 2),
    ],
    ids=["as many as serve now", "scaled to none", "scaled to none, and nothing is known from before", "none before either"],
)
def test_a_version_that_was_scaled_to_none_is_undone_with_the_replicas_from_before(
    ran: Ran, now: int, before: Release | None, replicas: int
) -> None:
    run = ran("1-here", "v2").run
    run = msgspec.structs.replace(run, plan=msgspec.structs.replace(run.plan, before=before))

    plan = plan_back(run, serving(now))

    assert Deploy(Slot.BLUE, Release(version="v1", replicas=replicas)) in plan.steps
    assert plan.replicas == replicas


@pytest.mark.parametrize(("asked", "rate"), [(None, 7.0), (0.0, 0.0), (20.0, 20.0)])
def test_an_undo_has_the_users_of_the_rollout_that_it_takes_back_unless_somebody_says_otherwise(
    ran: Ran, asked: float | None, rate: float
) -> None:
    run = msgspec.structs.replace(ran("1-here", "v2").run, load=LoadOptions(rate=7.0, users=12, feedback=True, group_header="x-user-group"))

    assert users_meanwhile(run, asked) == LoadOptions(rate=rate, users=12)
