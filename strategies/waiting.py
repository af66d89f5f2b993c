"""Waiting on a condition with a deadline and a reason: the only way that the lab waits."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from strategies.errors import NotReady


class Clock(Protocol):
    """Time, injected: a ten-minute canary is tested in milliseconds."""

    def now(self) -> datetime:
        """The UTC time."""

    def monotonic(self) -> float:
        """Seconds that only grow."""

    def sleep(self, seconds: float) -> None:
        """Let time pass.

        Raises:
            Interrupted: somebody asked the run to end, and it is not shielded.
        """

    def shield(self) -> None:
        """From here on `sleep` no longer raises: the way back is not to be interrupted."""


def wait_until(
    condition: Callable[[], bool],
    *,
    timeout: float,
    clock: Clock,
    reason: Callable[[], str],
    every: float = 0.05,
) -> float:
    """Wait until `condition` holds; returns the seconds that it took.

    Raises:
        NotReady: it did not within `timeout` seconds; the sentence is what `reason` says then.
    """
    start = clock.monotonic()
    while not condition():
        if clock.monotonic() - start >= timeout:
            raise NotReady(f"{reason()} (waited {timeout:g} s)")
        clock.sleep(every)
    return clock.monotonic() - start
