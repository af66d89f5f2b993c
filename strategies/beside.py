"""What the strategies have in common that run the candidate in the other slot, beside stable: how they end and how they go back."""

from strategies.plan import Deploy, Drain, Hold, Promote, Release, Retire, Route, Step
from strategies.traffic import Slot, Traffic, replicas_needed


class Capacity:
    """Counts the replicas that a candidate has been given so far, so that a step is written only where more are needed."""

    def __init__(self, slot: Slot, version: str, replicas: int) -> None:
        self._slot, self._version, self._replicas = slot, version, replicas
        self._running = 0

    def for_percent(self, percent: int) -> tuple[Step, ...]:
        """What comes before the candidate carries `percent` of the traffic."""
        needed = replicas_needed(self._replicas, percent)
        if needed <= self._running:
            return ()
        self._running = needed
        return (Deploy(self._slot, Release(version=self._version, replicas=needed)),)


def way_back(stable: Slot, forget: str = "") -> tuple[Step, ...]:
    """The traffic away from the candidate before anything else, then drain, then retire; `forget` takes a cookie back."""
    return (Route(Traffic(stable=stable, forget=forget)), Drain(stable.other), Retire(stable.other))


def promotion(stable: Slot, keep: float) -> tuple[Step, ...]:
    """The candidate, which has all the traffic, becomes stable; the old one stays warm for `keep` seconds, then goes."""
    return (Promote(stable.other), Hold(keep, "promoted"), Drain(stable), Retire(stable))
