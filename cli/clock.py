"""The real clock, which also hears Ctrl-C and SIGTERM.

A signal only leaves a note, and the next nap raises it: an exception at any odd place could tear a change of routes in
two. Whoever watches (the live display) is called at each nap, so that waiting anywhere never freezes the screen.
"""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import FrameType

from strategies.errors import Interrupted

NAP = 0.1
"""Seconds; the longest time that a signal waits to be heard."""


class SystemClock:
    """Implements `strategies.waiting.Clock`."""

    def __init__(self) -> None:
        self._asked = ""
        self._shielded = False
        self.watchers: list[Callable[[], None]] = []
        self.say: Callable[[str], None] = lambda _: None

    def now(self) -> datetime:
        """The UTC time, with microseconds."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that only grow."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Let time pass, in naps short enough to hear a signal."""
        deadline = time.monotonic() + seconds
        while True:
            self._raise_if_asked()
            for watch in self.watchers:
                watch()
            left = deadline - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(NAP, left))

    def shield(self) -> None:
        """From here on nothing interrupts."""
        self._shielded = True

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Hear SIGINT, SIGTERM and SIGHUP (a closed terminal) instead of dying of them."""
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {number: signal.signal(number, self._hear) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _hear(self, number: int, _frame: FrameType | None) -> None:
        name = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
        if self._asked:
            self.say(f"{name}: already on the way out, which is not interrupted")
        self._asked = self._asked or f"{name} received"

    def _raise_if_asked(self) -> None:
        if self._asked and not self._shielded:
            raise Interrupted(self._asked)
