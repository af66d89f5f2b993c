"""Blue-green: the new version stands beside the old one at full size, is tried on load of our own, then gets everybody at once."""

import msgspec

from strategies.beside import Capacity, promotion, way_back
from strategies.plan import Analyse, Baseline, Gate, Plan, Release, Route, Step, Subject, require_sane
from strategies.traffic import Slot, Traffic


class BlueGreenOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a person chooses.

    Attributes:
        stable: the slot that serves now; the candidate gets the other one.
        before: what runs there; None if it is not known.
        replicas: how many replicas all the traffic needs; the candidate gets them all.
        manual: a person decides on the switch, after the preview.
        preview: seconds of the analysis on load of our own before the switch.
        hold: seconds of the analysis after the switch.
        baseline: seconds of watching stable alone before.
        keep: seconds for which the old version stays warm after promotion.
    """

    to_version: str
    stable: Slot
    before: Release | None = None
    replicas: int = 2
    manual: bool = False
    preview: float = 20.0
    hold: float = 30.0
    baseline: float = 5.0
    keep: float = 30.0


def blue_green(options: BlueGreenOptions) -> Plan:
    """The plan of a blue-green rollout: while the old version is kept, the way back is one change of routes.

    Raises:
        UsageError: no replicas, or a negative time.
    """
    require_sane(options.replicas, options.preview, options.hold, options.baseline, options.keep)
    steps: list[Step] = [
        Baseline(options.baseline),
        *Capacity(options.stable.other, options.to_version, options.replicas).for_percent(100),
        Route(Traffic(stable=options.stable, preview=True)),
        Analyse(options.preview, Subject.PREVIEW),
        *([Gate()] if options.manual else []),
        Route(Traffic(stable=options.stable, weight=100)),
        Analyse(options.hold),
        *promotion(options.stable, options.keep),
    ]
    return Plan(
        strategy="blue-green", replicas=options.replicas, steps=tuple(steps), way_back=way_back(options.stable), before=options.before
    )
