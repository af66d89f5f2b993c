"""The users' log, read as it grows.

Each poll reads what was appended since the last one, whole lines only: the writer may be in the middle of one. A line
that is whole but wrong ends the reading, since counts over a log that cannot be trusted would be worse than none.
"""

import csv
import io
import math
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from strategies.errors import WitnessLost
from strategies.traffic import Slot
from strategies.userlog import HEADER, Row

SLOTS: dict[str, Slot | None] = {"": None, **{slot.value: slot for slot in Slot}}
FAILURES = frozenset({"", "status", "timeout", "connection", "unsent"})


class Request(NamedTuple):
    """One request as its user saw it: a `strategies.userlog.Row` with types.

    Attributes:
        intended: epoch seconds at which it should have been sent.
        sent: epoch seconds at which it was sent; None if it never was.
        latency: seconds from `intended` to its end; NaN if it was never sent.
        slot: the slot that the proxy chose; None if nobody can be charged.
        version: the version that answered; empty if no replica did.
        status: the HTTP status; 0 without any answer.
        failure: empty, "status", "timeout", "connection" or "unsent".
    """

    intended: float
    sent: float | None
    latency: float
    user: int
    request_id: str
    slot: Slot | None
    version: str
    status: int
    failure: str
    predicted: str
    truth: str

    @property
    def unsent(self) -> bool:
        """It never left, because too many were in flight: not a request, and counted apart."""
        return self.sent is None

    @property
    def answered(self) -> bool:
        """Something answered in time, be it with an error."""
        return self.status != 0 and self.failure in {"", "status"}

    @property
    def failed(self) -> bool:
        """It was sent, and anything but a whole 2xx answer came of it."""
        return self.sent is not None and (self.failure != "" or not 200 <= self.status < 300)

    @property
    def wrong(self) -> bool:
        """It got a good answer that named the wrong class."""
        return self.sent is not None and not self.failed and self.predicted != self.truth

    @property
    def unattributed(self) -> bool:
        """It failed, and no slot can be charged with it."""
        return self.failed and self.slot is None


class UserLog:
    """All requests in the `*.csv` files of a folder. Files may appear later, and there is one more after each resume."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.requests: list[Request] = []
        self._read: dict[Path, _Position] = {}

    def poll(self) -> Sequence[Request]:
        """The requests logged since the last poll.

        Raises:
            WitnessLost: a file cannot be read any more, or a line of it is not a row of the users' log.
        """
        new: list[Request] = []
        for path in sorted({*self.folder.glob("*.csv"), *self._read}):
            position = self._read.get(path, _Position(0, 0))
            text, after = _whole_lines(path, position)
            new += _requests(path, text, position.lines)
            self._read[path] = after
        self.requests += new
        return new


class _Position(NamedTuple):
    """How far a file has been read."""

    bytes: int
    lines: int


def _whole_lines(path: Path, since: _Position) -> tuple[str, _Position]:
    """What `path` has after `since`, up to its last line end, and the position there."""
    try:
        with path.open("rb") as file:
            if file.seek(0, io.SEEK_END) < since.bytes:
                raise WitnessLost(f"the users' log {path} is shorter than it was; something else writes to it")
            file.seek(since.bytes)
            data = file.read()
        data = data[: data.rfind(b"\n") + 1]
        return data.decode(), _Position(since.bytes + len(data), since.lines + data.count(b"\n"))
    except OSError as error:
        raise WitnessLost(f"the users' log {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise WitnessLost(f"the users' log {path} is not text after line {since.lines}: {error}") from error


def _requests(path: Path, text: str, before: int) -> Iterator[Request]:
    """The rows in `text`, which follows `before` lines of `path`."""
    rows = csv.reader(io.StringIO(text, newline="\n"), strict=True)
    try:
        if before == 0 and text:
            _check_header(next(rows))
        for values in rows:
            yield _request(values)
    except (ValueError, KeyError, csv.Error) as error:
        raise WitnessLost(f"line {before + rows.line_num} of the users' log {path} is not a request: {error}") from error


def _check_header(values: list[str]) -> None:
    if ",".join(values) != HEADER:
        raise ValueError(f"its columns are not {HEADER}")


def _request(values: list[str]) -> Request:
    if len(values) != len(Row._fields):
        raise ValueError(f"it has {len(values)} columns, not {len(Row._fields)}")
    row = Row._make(values)
    sent = _epoch(row.sent) if row.sent else None
    latency = math.nan if sent is None else float(row.latency)
    if sent is not None and not 0 <= latency < math.inf:
        raise ValueError(f"no latency is {row.latency}")
    if row.failure not in FAILURES or (sent is None) != (row.failure == "unsent"):
        raise ValueError(f"{row.failure or 'no'} failure does not go with {row.sent or 'never'} as the time it was sent")
    return Request(
        _epoch(row.intended),
        sent,
        latency,
        int(row.user),
        row.request_id,
        SLOTS[row.slot],
        row.version,
        int(row.status),
        row.failure,
        row.predicted,
        row.truth,
    )


def _epoch(text: str) -> float:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} names no time zone")
    return moment.timestamp()
