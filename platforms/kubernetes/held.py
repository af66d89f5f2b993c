"""A lease while one has it: asked before each write whether it is one's own still.

Where nobody can be asked, a holder stops writing before its lease can have run out: 40 of 60 s without a renewal.
"""

from collections.abc import Callable
from contextlib import suppress

from strategies.errors import LockHeld, TakenOver, ToolFailed
from strategies.waiting import Clock

STOP_AFTER = 40.0
"""Seconds without a renewal after which nothing is written any more."""


class Held:
    """The lease while it is ours. `check` before each write.

    `ask` tells who holds it now, empty for us. It raises ToolFailed if nobody can be asked.
    """

    def __init__(self, generation: int, clock: Clock, ask: Callable[[], str] = lambda: "") -> None:
        self.generation = generation
        self._clock = clock
        self._ask = ask
        self._renewed = clock.monotonic()
        self._taken_by = ""

    def check(self) -> None:
        """Return if it is ours still.

        Raises:
            TakenOver: somebody else has it.
            LockHeld: it could not be renewed for so long that somebody may have it.
        """
        with suppress(ToolFailed):
            # one that was stopped and is woken must not believe what it knew before
            self._taken_by = self._taken_by or self._ask()
        self.notice()
        if self._clock.monotonic() - self._renewed > STOP_AFTER:
            raise LockHeld(f"the lease could not be renewed for {STOP_AFTER:g} s, so somebody else may have taken the rollout over")

    def notice(self) -> None:
        """Return unless somebody is known to have taken it over; nobody is asked.

        Raises:
            TakenOver: somebody has.
        """
        if self._taken_by:
            raise TakenOver(f"{self._taken_by} has taken this rollout over, so nothing more is written by this one")

    def renewed(self, at: float) -> None:
        """It was renewed by a request that began at `at` (monotonic)."""
        self._renewed = at

    def taken(self, holder: str) -> None:
        """Somebody else holds it."""
        self._taken_by = holder
