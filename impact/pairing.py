"""Stable's answer and the candidate's to the same request: the two halves of the prediction log, joined by the request id.

The halves come in any order and at different times. Where one id was answered twice on a side, the first answer counts. What
stable answered and no copy answered within the grace has lost its copy. Who lost it, the log does not know: the proxy drops
copies of its own accord, and a candidate may hang on them.
"""

from collections.abc import Iterable
from typing import NamedTuple

from impact.prediction_log import Logged
from strategies.traffic import Slot

GRACE_SECONDS = 10.0
"""How long a copy may be behind: longer than a request may take, and its way into the log."""


class Said(NamedTuple):
    """What one side made of a request.

    Attributes:
        prediction: the likeliest class, empty if the model failed.
        probability: of that class; None if the model failed.
        latency: seconds in the replica.
        status: 200 or 500.
    """

    prediction: str
    probability: float | None
    latency: float
    status: int


class Pair(NamedTuple):
    """One request that both sides got."""

    request_id: str
    stable: Said
    candidate: Said


class Pairing:
    """Joins what is logged as it comes.

    Attributes:
        lost: requests whose copy has not come within the grace.
    """

    def __init__(self, stable: Slot, grace: float = GRACE_SECONDS) -> None:
        self._stable = stable
        self._grace = grace
        self._waiting: dict[str, Logged] = {}
        self._copies: dict[str, Logged] = {}
        self._paired: set[str] = set()
        self.lost = 0

    def add(self, logged: Iterable[Logged], now: float) -> list[Pair]:
        """The pairs that `logged` completes; `now` (epoch seconds) says whose copies are overdue."""
        pairs: list[Pair] = []
        for one in logged:
            if one.request_id in self._paired:
                continue
            if one.mirrored and one.slot is not self._stable:
                self._copies.setdefault(one.request_id, one)
            elif not one.mirrored and one.slot is self._stable:
                self._waiting.setdefault(one.request_id, one)
            if one.request_id in self._waiting and one.request_id in self._copies:
                self._paired.add(one.request_id)
                pair = self._waiting.pop(one.request_id), self._copies.pop(one.request_id)
                pairs.append(Pair(one.request_id, *map(_said, pair)))
        self._give_up(now)
        return pairs

    @property
    def waiting(self) -> frozenset[str]:
        """Requests whose copy may still come, by id."""
        return frozenset(self._waiting)

    def lose(self, request_ids: Iterable[str]) -> None:
        """Wait no longer for the copies of these requests: those that have not come are lost."""
        given_up = self._waiting.keys() & set(request_ids)
        for request_id in given_up:
            del self._waiting[request_id]
        self.lost += len(given_up)

    def _give_up(self, now: float) -> None:
        self.lose([request_id for request_id, one in self._waiting.items() if one.at + one.latency + self._grace < now])


def _said(logged: Logged) -> Said:
    return Said(logged.prediction, logged.probability, logged.latency, logged.status)
