"""Undo: back to the version before, without steps: nobody judges what served everybody until a moment ago."""

from strategies.beside import Capacity, promotion, way_back
from strategies.plan import Baseline, Plan, Release, Route, require_sane
from strategies.traffic import Slot, Traffic


def undo(to: Release, stable: Slot, *, baseline: float, keep: float) -> Plan:
    """The plan that gives everybody `to` again, beside what is in `stable` now.

    Raises:
        UsageError: no replicas, or a negative time.
    """
    require_sane(to.replicas, baseline, keep)
    return Plan(
        strategy="undo",
        replicas=to.replicas,
        steps=(
            Baseline(baseline),
            *Capacity(stable.other, to.version, to.replicas).for_percent(100),
            Route(Traffic(stable=stable, weight=100)),
            *promotion(stable, keep),
        ),
        way_back=way_back(stable),
    )
