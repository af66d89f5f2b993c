"""How far a run has come: a bar for a person, a line now and then for a log."""

import time
from typing import TextIO

WIDTH = 30
SECONDS_BETWEEN_LINES = 10.0


class Progress:
    """Writes to a terminal in place, and to anything else a line every ten seconds."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._terminal = out.isatty()
        self._told = time.monotonic()
        self._shown = False

    def show(self, share: float, rows: int, seconds: float) -> None:
        """So much of the input (0..1) and so many rows are done after `seconds`."""
        text = f"{share:4.0%} {rows} rows, {rows / max(seconds, 1e-9):.0f} per second"
        if self._terminal:
            full = round(share * WIDTH)
            self._out.write(f"\r[{'#' * full}{'-' * (WIDTH - full)}] {text} ")
            self._shown = True
        elif time.monotonic() - self._told >= SECONDS_BETWEEN_LINES:
            self._told = time.monotonic()
            self._out.write(f"{text}\n")
        self._out.flush()

    def end(self) -> None:
        """Leave the line."""
        if self._shown:
            self._out.write("\n")
            self._out.flush()
