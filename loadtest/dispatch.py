"""The open loop: sends what the schedule says when it says so, whatever has become of the requests before."""

import secrets
import time
from collections.abc import Callable, Sequence
from typing import Protocol

import gevent
from gevent.pool import Group

from loadtest.answer import Answer
from loadtest.cases import Case
from loadtest.log import WallClock
from loadtest.schedule import Arrival, arrivals
from strategies.run import LoadOptions
from strategies.userlog import Row


class User(Protocol):
    """Somebody who asks for predictions."""

    def predict(self, case: Case, request_id: str) -> Answer:
        """Ask for a prediction of `case` and wait for the answer; a request that fails is an answer too."""

    def tell(self, request_id: str, truth: str) -> bool:
        """Tell what was right about a request, and whether that was heard."""

    def hold_back(self) -> None:
        """Be told that a request was not sent because too many are in flight."""


class Dispatcher:
    """Carries a schedule out: each arrival is a greenlet of its own and ends as exactly one row.

    With `options.feedback` it goes on to tell the truth, which is no request of the schedule and has no row.

    Attributes:
        untold: truths that were not heard.

    Args:
        options: of the load.
        cases: what can be sent.
        users: who sends it, as many as `options.users`.
        record: takes each row, as soon as its request has ended.

    Raises:
        ValueError: `options` make no schedule.
    """

    def __init__(self, options: LoadOptions, cases: Sequence[Case], users: Sequence[User], record: Callable[[Row], None]) -> None:
        self._options = options
        self._cases = cases
        self._users = users
        self._record = record
        self._arrivals = arrivals(options, len(cases))
        self._clock = WallClock()
        self._in_flight = Group()
        self.untold = 0
        # two load generators with the same seed must not send the same request ids
        self._request_prefix = f"{secrets.token_hex(4)}-{options.seed}"
        self._loop = gevent.Greenlet(self._run)

    def start(self, ended: Callable[[BaseException | None], None]) -> None:
        """Begin now; `ended` is called once all requests of the schedule have ended, or with what broke the loop."""
        self._loop.link(lambda loop: ended(loop.exception))
        self._loop.start()

    def finish(self, seconds: float) -> None:
        """Send nothing more and give those in flight `seconds`; who has no answer by then gives up, logged as a timeout."""
        self._loop.unlink_all()
        self._loop.kill()
        self._in_flight.join(timeout=seconds)
        self._in_flight.kill()

    def _run(self) -> None:
        start = time.monotonic()
        for number, arrival in enumerate(self._arrivals):
            due = start + arrival.offset
            _sleep_until(due)
            if len(self._in_flight) < self._options.in_flight:
                self._in_flight.spawn(self._send, number, arrival, due)
            else:
                self._users[arrival.user].hold_back()
                self._write(number, arrival, due, None, Answer(failure="unsent"))
        self._in_flight.join()

    def _send(self, number: int, arrival: Arrival, due: float) -> None:
        sent = time.monotonic()
        try:
            answer = self._users[arrival.user].predict(self._cases[arrival.case], self._request_id(number))
        except gevent.GreenletExit:
            answer = Answer(failure="timeout")
        self._write(number, arrival, due, sent, answer)
        if self._options.feedback and not answer.failure:
            self._tell(number, arrival)

    def _tell(self, number: int, arrival: Arrival) -> None:
        self.untold += 1
        # counted beforehand, so that one that is given up at the end is among them
        if self._users[arrival.user].tell(self._request_id(number), self._cases[arrival.case].truth):
            self.untold -= 1

    def _write(self, number: int, arrival: Arrival, due: float, sent: float | None, answer: Answer) -> None:
        self._record(
            Row(
                intended=self._clock.text(due),
                sent="" if sent is None else self._clock.text(sent),
                latency=f"{time.monotonic() - due:.6f}",
                user=str(arrival.user),
                request_id=self._request_id(number),
                slot=answer.slot,
                version=answer.version,
                status=str(answer.status),
                failure=answer.failure,
                predicted=answer.predicted,
                truth=self._cases[arrival.case].truth,
            )
        )

    def _request_id(self, number: int) -> str:
        return f"{self._request_prefix}-{number}"


def _sleep_until(due: float) -> None:
    """Let other greenlets run, at least once and until `due` (gevent may wake a little early)."""
    gevent.sleep(max(0.0, due - time.monotonic()))
    while (early := due - time.monotonic()) > 0:
        gevent.sleep(early)
