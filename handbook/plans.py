"""The steps of each strategy, as its plan says them, for the tutorial's pages."""

from typing import Any

from strategies.ab_test import AbTestOptions, ab_test
from strategies.blue_green import BlueGreenOptions, blue_green
from strategies.canary import CanaryOptions, canary
from strategies.in_place import InPlaceOptions, recreate, rolling
from strategies.plan import Plan, Release, Step, title
from strategies.shadow import ShadowOptions, shadow
from strategies.traffic import Slot

MADE = "<!-- Made by `python -m handbook` from the plans of `strategies/`. -->\n\n"


def lists() -> dict[str, str]:
    """By file name the steps of each strategy from v1 to v2 on two replicas, and of its way back."""
    common: dict[str, Any] = {"to_version": "v2", "before": Release(version="v1", replicas=2), "stable": Slot.BLUE}
    plans = (
        recreate(InPlaceOptions(**common)),
        rolling(InPlaceOptions(**common)),
        blue_green(BlueGreenOptions(**common)),
        canary(CanaryOptions(**common)),
        ab_test(AbTestOptions(**common)),
        shadow(ShadowOptions(**common)),
    )
    return {f"{plan.strategy}-steps.md": _list(plan) for plan in plans}


def _list(plan: Plan) -> str:
    return f"{MADE}{_numbered(plan.steps)}\n\nThe way back, whenever it is needed before the promotion:\n\n{_numbered(plan.way_back)}\n"


def _numbered(steps: tuple[Step, ...]) -> str:
    return "\n".join(f"{number}. {title(step)}" for number, step in enumerate(steps, start=1))
