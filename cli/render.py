"""`labctl render`: what Istio is told at each change of routes of a strategy, as files, by the function that the platform applies.

All of a strategy's files say what one and the same object is to be, so a folder of its own has the one that its candidate is
judged under, and can be applied whole. What comes before and after it is in folders below.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from strategies.errors import CouldNotRun, StoreRefused, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from strategies.plan import Plan
    from strategies.traffic import Traffic

HEADING = "# Made by `labctl render`, which writes what `labctl rollout {strategy}` applies: {what}.\n"


def render(
    strategy: Annotated[str, typer.Argument(help="The strategy; all if left out.")] = "",
    to: Annotated[Path, typer.Option(help="The folder to write into, a folder per strategy.")] = Path("manifests"),
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail if the files are not what would be written.")] = False,
) -> None:
    """Write the VirtualServices of a strategy, one file for each change of routes."""
    plans = _plans()
    if strategy and strategy not in plans:
        raise UsageError(f"there is no strategy {strategy!r}; choose from {', '.join(plans)}")
    wanted = {to / path: text for name in ([strategy] if strategy else plans) for path, text in _files(name, plans[name])}
    differing = [path for path, text in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    folders = [to / name for name in ([strategy] if strategy else plans)]
    left = [path for folder in folders for path in folder.rglob("*.yaml") if path not in wanted]
    if check:
        if differing or left:
            names = ", ".join(map(str, sorted([*differing, *left])))
            raise CouldNotRun(f"not what `labctl render` writes: {names}; run it and look at the change")
        return
    try:
        for path in differing:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[path], encoding="utf-8")
        for path in left:
            path.unlink()
    except OSError as error:
        raise StoreRefused(f"{error.filename} cannot be written ({error.strerror}); choose another folder with --to") from error
    print(f"{len(wanted)} files in {to}, {len(differing)} of them new or changed", file=sys.stderr)


def _plans() -> "dict[str, Plan]":
    from strategies.ab_test import AbTestOptions, ab_test
    from strategies.blue_green import BlueGreenOptions, blue_green
    from strategies.canary import CanaryOptions, canary
    from strategies.in_place import InPlaceOptions, recreate, rolling
    from strategies.plan import Release
    from strategies.shadow import ShadowOptions, shadow
    from strategies.traffic import Slot

    common: dict[str, Any] = {"to_version": "v2", "before": Release(version="v1", replicas=2), "stable": Slot.BLUE}
    return {
        "recreate": recreate(InPlaceOptions(**common)),
        "rolling": rolling(InPlaceOptions(**common)),
        "blue-green": blue_green(BlueGreenOptions(**common)),
        "canary": canary(CanaryOptions(**common)),
        "ab-test": ab_test(AbTestOptions(**common)),
        "shadow": shadow(ShadowOptions(**common)),
    }


def _files(name: str, plan: "Plan") -> "Iterator[tuple[str, str]]":
    import yaml

    from platforms.kubernetes.routes import virtual_service

    changes = list(_changes(plan))
    # in place nothing changes but the pods, so there is nothing but the beginning
    judged = min(1, len(changes) - 1)
    for number, (what, traffic) in enumerate(changes):
        manifest = yaml.safe_dump(virtual_service(traffic), sort_keys=False, width=120)
        folder = name if number == judged else f"{name}/{'before' if number < judged else 'after'}"
        yield f"{folder}/{number}-{what.replace(' ', '-')}.yaml", HEADING.format(strategy=name, what=what) + manifest


def _changes(plan: "Plan") -> "Iterator[tuple[str, Traffic]]":
    """Each traffic that a plan leads to, the one at its beginning first, with a name for it."""
    from strategies.plan import Promote, Route
    from strategies.traffic import Slot, Traffic

    last = Traffic(stable=Slot.BLUE)
    yield "stable alone", last
    for step in plan.steps:
        if isinstance(step, Promote) and step.slot is not last.stable:
            last = Traffic(stable=step.slot)
            yield "promoted", last
        elif isinstance(step, Route):
            last = step.traffic
            yield _name(last), last


def _name(traffic: "Traffic") -> str:
    kinds = {
        "preview": traffic.preview,
        "match": traffic.match is not None,
        "mirror": traffic.mirror > 0,
        "split": bool(traffic.sticky),
        "back to stable": traffic.weight == 0,
        "everybody": traffic.weight == 100,
    }
    return next((name for name, holds in kinds.items() if holds), f"weight {traffic.weight}")
