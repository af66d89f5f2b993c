"""The prediction log: what a replica answered and what turned out to be true, for whoever compares versions later.

It never slows or fails a request. A request only appends to a queue in memory; one thread takes ten times a second what has
gathered there and writes it in one transaction. Waking that thread for each request was rejected: it would compete with the
requests for the interpreter. The queue is bounded: while the database is away it fills up, and what it cannot take is
dropped and counted, so that nobody takes a log with holes in it for a whole one.

What was not surely written is written again, so a record may be there twice but for one that is missing without a count.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from app.errors import LogUnwritable

CAPACITY = 10_000
"""Records that wait at most: about a minute of a busy replica, and a few megabytes."""
BATCH = 1_000
"""Records in one transaction at most."""
PERIOD_SECONDS = 0.1
RETRY_SECONDS = 1.0
FLUSH_SECONDS = 5.0
"""How long a replica that ends waits for its last records to be written."""

logger = logging.getLogger(__name__)


class Predicted(NamedTuple):
    """One request for a prediction, as it was answered.

    Attributes:
        at: epoch seconds at which it came.
        mirrored: it was a copy of a user's request.
        prediction: the likeliest class, `probability` its probability (0..1); None if the model failed.
        latency: seconds from the request's headers to the answer's.
        status: 200 or 500.
    """

    request_id: str
    at: float
    slot: str
    version: str
    mirrored: bool
    prediction: str | None
    probability: float | None
    latency: float
    status: int


class Truth(NamedTuple):
    """The class that was right for a request, told at epoch seconds `at`."""

    request_id: str
    at: float
    truth: str


class Database(Protocol):
    """Where the log is kept. Used by one thread."""

    def write(self, predicted: Sequence[Predicted], truths: Sequence[Truth]) -> None:
        """Append all or nothing.

        Raises:
            LogUnwritable: it is away, or refuses.
        """

    def close(self) -> None:
        """Let go of it; what is not wholly written is undone. Never fails."""


class PredictionLog:
    """Takes records from requests, and writes them from a thread of its own between `start` and `close`.

    Args:
        connect: opens the database; called in that thread, and again after a failure. Raises LogUnwritable.
        capacity: how many records may wait.
    """

    def __init__(self, connect: Callable[[], Database], capacity: int = CAPACITY) -> None:
        self._connect = connect
        self._capacity = capacity
        self._queue: deque[Predicted | Truth] = deque()
        self._taken: list[Predicted | Truth] = []
        self._database: Database | None = None
        self._away = False
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="prediction-log", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def append(self, record: Predicted | Truth) -> bool:
        """Take a record, unless too many wait: then False. Never waits."""
        if len(self._queue) >= self._capacity:
            return False
        self._queue.append(record)
        return True

    def close(self, seconds: float = FLUSH_SECONDS) -> None:
        """Write what is left, for at most `seconds`; what is lost then is told in the log."""
        self._closing.set()
        self._thread.join(seconds)
        if lost := len(self._taken) + len(self._queue):
            logger.error("%d records of the prediction log are lost: its database did not take them before the end", lost)

    def _run(self) -> None:
        while not self._closing.wait(RETRY_SECONDS if self._away else PERIOD_SECONDS):
            self._write()
        self._write()
        self._disconnect()

    def _write(self) -> None:
        """Write until nothing waits or the database fails; what it did not take is kept for the next time."""
        while self._taken or self._queue:
            while self._queue and len(self._taken) < BATCH:
                self._taken.append(self._queue.popleft())
            try:
                self._database = self._database or self._connect()
                self._database.write(
                    [record for record in self._taken if isinstance(record, Predicted)],
                    [record for record in self._taken if isinstance(record, Truth)],
                )
            except LogUnwritable as exc:
                if not self._away:
                    logger.error("%s; up to %d records wait for it", exc, self._capacity)  # noqa: TRY400  a sentence, no traceback
                self._away = True
                self._disconnect()
                return
            if self._away:
                logger.info("the prediction log is written again")
            self._away = False
            self._taken.clear()

    def _disconnect(self) -> None:
        database, self._database = self._database, None
        if database:
            database.close()
