"""The users' log as a file: rows appended as CSV, whole lines only, while somebody else reads it."""

import csv
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

from strategies.userlog import HEADER, Row


class WallClock:
    """UTC by one look at the wall clock and the monotonic clock from there on: an adjustment of the wall clock cannot tear the log."""

    def __init__(self, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._offset = wall() - monotonic()

    def text(self, moment: float) -> str:
        """The UTC time, ISO 8601 with microseconds and "Z", at which the monotonic clock showed `moment`."""
        return datetime.fromtimestamp(self._offset + moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class RequestLog:
    """Rows are kept until `flush`, which appends them in one piece; a new file begins with the header.

    Every method but `append` raises OSError if the file cannot be written; the rows before stay whole lines then.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._pending = StringIO()
        self._writer = csv.writer(self._pending, lineterminator="\n")
        if os.fstat(self._file).st_size == 0:
            self._write(f"{HEADER}\n".encode())

    def append(self, row: Row) -> None:
        """Keep `row` for the next flush."""
        self._writer.writerow(row)

    def flush(self) -> None:
        """Let readers see all rows so far."""
        data = self._pending.getvalue().encode()
        self._pending.seek(0)
        self._pending.truncate()
        self._write(data)

    def close(self) -> None:
        """Flush and close."""
        try:
            self.flush()
        finally:
            os.close(self._file)

    def _write(self, data: bytes) -> None:
        size = os.fstat(self._file).st_size
        written = 0
        try:
            while written < len(data):
                written += os.write(self._file, data[written:])
        except OSError:
            # a full disk takes half a line; readers were promised whole ones
            os.ftruncate(self._file, size + data.rfind(b"\n", 0, written) + 1)
            raise
