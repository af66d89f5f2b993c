"""Times told by a cron expression, in UTC."""

import threading
import time
from datetime import UTC, datetime
from typing import TextIO

from croniter import CroniterBadDateError, croniter

from app.errors import BadSchedule

LONGEST_NAP = 60.0
"""Seconds. The clock may be set, or the machine sleep, while we wait: so it is looked at again."""


class Schedule:
    """When to run next. A time that passed during a run is skipped, as with a CronJob that forbids concurrency."""

    def __init__(self, expression: str) -> None:
        """Read the expression.

        Raises:
            BadSchedule: it is none, or of a time that never comes.
        """
        if not croniter.is_valid(expression):
            raise BadSchedule(f"{expression!r} is no cron expression: write minute, hour, day, month and weekday, such as '0 * * * *'")
        self._expression = expression
        self.next(datetime.now(UTC))

    def next(self, now: datetime) -> datetime:
        """The first time after `now`.

        Raises:
            BadSchedule: there is none.
        """
        try:
            moment: datetime = croniter(self._expression, now).get_next(datetime)
        except CroniterBadDateError as exc:
            raise BadSchedule(
                f"{self._expression!r} is a time that never comes: give a day that its month has, and no year gone by"
            ) from exc
        return moment

    def wait(self, stop: threading.Event, said: TextIO) -> bool:
        """Tell the next time and wait for it; False if told to stop.

        Raises:
            BadSchedule: there is no next time any more.
        """
        if stop.is_set():
            return False
        moment = self.next(datetime.now(UTC))
        said.write(f"next run at {moment:%Y-%m-%dT%H:%M:%SZ}\n")
        said.flush()
        while (left := moment.timestamp() - time.time()) > 0:
            if stop.wait(min(left, LONGEST_NAP)):
                return False
        return not stop.is_set()
