"""Shadow: the candidate gets a copy of users' requests, and nobody gets its answers."""

import msgspec

from strategies.beside import Capacity, promotion, way_back
from strategies.errors import UsageError
from strategies.plan import Analyse, Baseline, Plan, Release, Route, Step, Subject, require_sane
from strategies.traffic import Slot, Traffic


class ShadowOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a person chooses.

    Attributes:
        stable: the slot that serves now; the candidate gets the other one.
        before: what runs there; None if it is not known.
        mirror: whole percents (1..100) of the requests of which the candidate gets a copy.
        mirror_writes: requests that change something are copied too.
        replicas: how many replicas all the traffic needs.
        promote: a candidate that is judged good gets everybody; else it is retired.
        hold: seconds of the comparison.
        baseline: seconds of watching stable alone before.
        keep: seconds for which the old version stays warm after promotion.
    """

    to_version: str
    stable: Slot
    before: Release | None = None
    mirror: int = 100
    mirror_writes: bool = False
    replicas: int = 2
    promote: bool = False
    hold: float = 55.0
    baseline: float = 5.0
    keep: float = 5.0


def shadow(options: ShadowOptions) -> Plan:
    """The plan of a shadow deployment.

    Raises:
        UsageError: nothing or more than all is to be copied, no replicas, a negative time.
    """
    if not 1 <= options.mirror <= 100:
        raise UsageError(f"a copy of 1 to 100 percent can be made, not of {options.mirror}")
    require_sane(options.replicas, options.hold, options.baseline, options.keep)
    stable = options.stable
    capacity = Capacity(stable.other, options.to_version, options.replicas)
    steps: list[Step] = [
        Baseline(options.baseline),
        *capacity.for_percent(options.mirror),
        Route(Traffic(stable=stable, mirror=options.mirror, mirror_writes=options.mirror_writes)),
        Analyse(options.hold, Subject.SHADOW),
    ]
    if options.promote:
        steps += [*capacity.for_percent(100), Route(Traffic(stable=stable, weight=100)), *promotion(stable, options.keep)]
    else:
        steps += way_back(stable)
    return Plan(strategy="shadow", replicas=options.replicas, steps=tuple(steps), way_back=way_back(stable), before=options.before)
