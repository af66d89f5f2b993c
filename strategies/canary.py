"""Canary: a growing share of the users gets the new version; each share is judged before the next."""

import msgspec

from strategies.errors import UsageError
from strategies.plan import Analyse, Baseline, Deploy, Drain, Hold, Plan, Promote, Release, Retire, Route, Step
from strategies.traffic import Slot, Traffic, replicas_needed


class CanaryOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a person chooses.

    Attributes:
        stable: the slot that serves now; the candidate gets the other one.
        weights: whole percents (1..100), growing: the shares at which the candidate is judged.
        replicas: how many replicas all the traffic needs.
        hold: seconds of each analysis.
        baseline: seconds of watching stable alone before.
        keep: seconds for which the old version stays warm after promotion.
    """

    to_version: str
    stable: Slot
    weights: tuple[int, ...] = (10,)
    replicas: int = 2
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
    if options.replicas < 1:
        raise UsageError(f"a version needs at least one replica, not {options.replicas}")
    if min(options.hold, options.baseline, options.keep) < 0:
        raise UsageError("hold, baseline and keep are seconds, and not negative")
    stable, candidate = options.stable, options.stable.other
    steps: list[Step] = [Baseline(options.baseline)]
    running = 0

    def capacity(percent: int) -> None:
        nonlocal running
        needed = replicas_needed(options.replicas, percent)
        if needed > running:
            steps.append(Deploy(candidate, Release(version=options.to_version, replicas=needed)))
            running = needed

    for weight in options.weights:
        capacity(weight)
        steps += [Route(Traffic(stable=stable, weight=weight)), Analyse(options.hold)]
    if options.weights[-1] < 100:
        capacity(100)
        steps.append(Route(Traffic(stable=stable, weight=100)))
    steps += [Promote(candidate), Hold(options.keep, "promoted"), Drain(stable), Retire(stable)]
    way_back = (Route(Traffic(stable=stable)), Drain(candidate), Retire(candidate))
    return Plan(strategy="canary", replicas=options.replicas, steps=tuple(steps), way_back=way_back)
