"""Canary: a growing share of the users gets the new version; each share is judged before the next."""

import msgspec

from strategies.beside import Capacity, promotion, way_back
from strategies.errors import UsageError
from strategies.plan import Analyse, Baseline, Gate, Plan, Release, Route, Step, require_sane
from strategies.traffic import Slot, Traffic


class CanaryOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a person chooses.

    Attributes:
        stable: the slot that serves now; the candidate gets the other one.
        before: what runs there; None if it is not known.
        weights: whole percents (1..100), growing: the shares at which the candidate is judged.
        replicas: how many replicas all the traffic needs.
        manual: after each analysis a person decides whether to go on.
        hold: seconds of each analysis.
        baseline: seconds of watching stable alone before.
        keep: seconds for which the old version stays warm after promotion.
    """

    to_version: str
    stable: Slot
    before: Release | None = None
    weights: tuple[int, ...] = (10,)
    replicas: int = 2
    manual: bool = False
    hold: float = 55.0
    baseline: float = 5.0
    keep: float = 5.0


def canary(options: CanaryOptions) -> Plan:
    """The plan of a canary rollout.

    Capacity comes before weight: each share is preceded by the replicas that it needs. All replicas of stable stay
    until the end, so that the way back needs nothing but a change of routes.

    Raises:
        UsageError: weights that are not 1..100 or do not grow, no replicas, a negative time.
    """
    if not options.weights or not all(1 <= weight <= 100 for weight in options.weights):
        raise UsageError(f"a canary's weight is 1 to 100 percent, not {', '.join(map(str, options.weights)) or 'empty'}")
    if list(options.weights) != sorted(set(options.weights)):
        raise UsageError(f"a canary's steps must grow, and {','.join(map(str, options.weights))} do not")
    require_sane(options.replicas, options.hold, options.baseline, options.keep)
    capacity = Capacity(options.stable.other, options.to_version, options.replicas)
    steps: list[Step] = [Baseline(options.baseline)]
    for weight in options.weights:
        steps += [*capacity.for_percent(weight), Route(Traffic(stable=options.stable, weight=weight)), Analyse(options.hold)]
        steps += [Gate()] if options.manual else []
    if options.weights[-1] < 100:
        steps += [*capacity.for_percent(100), Route(Traffic(stable=options.stable, weight=100))]
    steps += promotion(options.stable, options.keep)
    return Plan(strategy="canary", replicas=options.replicas, steps=tuple(steps), way_back=way_back(options.stable), before=options.before)
