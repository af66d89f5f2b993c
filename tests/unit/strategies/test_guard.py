"""Whoever changes the routes beside a rollout is noticed where it waits and before each of its steps; the way back asks nobody.

In an analysis it is the platform that notices, when its replicas are asked for.
"""

import msgspec
import pytest

from strategies.errors import RouteRefused
from strategies.events import Outcome, PhaseStarted
from strategies.traffic import Slot, Traffic
from tests.unit.strategies.rollout import OPTIONS, Rollout, require_rolled_back

NOTICED_SECONDS = 2.0


def changed_in(rollout: Rollout, phase: str, *, after: float = 0.0) -> list[float]:
    """Somebody changes the routes once `phase` has lasted so long, and for good; how long it had lasted when that was noticed."""
    noticed: list[float] = []

    def guard() -> None:
        begun = [event.at for event in rollout.journal.events if isinstance(event, PhaseStarted) and event.name == phase]
        if begun and (rollout.clock.now() - begun[0]).total_seconds() >= after:
            noticed.append((rollout.clock.now() - begun[0]).total_seconds())
            raise RouteRefused("bob changed the routes")

    rollout.guard = guard
    return noticed


@pytest.mark.parametrize("phase", ["baseline", "deploy v2 ×1"])
def test_before_anybody_is_routed_it_ends_the_rollout_before_its_next_step(phase: str) -> None:
    rollout = Rollout()
    changed_in(rollout, phase)

    ended = rollout.run()

    assert (ended.outcome, ended.exit_code) == (Outcome.ERROR, 3)
    assert ended.reason.startswith("bob changed the routes; rolled back")
    assert all(call[1] == Traffic(stable=Slot.BLUE) for call in rollout.calls if call[0] == "route")
    require_rolled_back(rollout)


def test_while_the_old_version_is_kept_it_is_noticed_within_seconds_and_named() -> None:
    """After the promotion there is no way back by oneself: what is left is done, and whoever it was is told."""
    rollout = Rollout(msgspec.structs.replace(OPTIONS, keep=600.0))
    noticed = changed_in(rollout, "promoted", after=30.0)

    ended = rollout.run()

    assert (ended.outcome, ended.exit_code) == (Outcome.PROMOTED, 0)
    assert "but then: bob changed the routes" in ended.reason
    assert 30.0 <= noticed[0] <= 30.0 + NOTICED_SECONDS
    assert rollout.clock.monotonic() < 100


def test_it_is_not_asked_for_on_the_way_back() -> None:
    rollout = Rollout()
    noticed = changed_in(rollout, "baseline")

    rollout.run()

    assert len(noticed) == 1
