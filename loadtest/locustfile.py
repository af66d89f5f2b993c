"""The users as Locust knows them: who they are, when a test starts and ends. The schedule decides what they do.

Runs as a child of labctl (loadtest.users), and under plain `locust -f loadtest/locustfile.py --host URL` with Locust's
own web page. Locust's number of users is ours; its ramp-up only delays the start, as the schedule begins once all are
there, and changing the number during a test has no effect before the next one.
"""

import json
import logging
import os
from argparse import Namespace
from pathlib import Path
from typing import Any, ClassVar

import gevent
from gevent.event import Event
from geventhttpclient.header import Headers
from locust import FastHttpUser, events, task
from locust.contrib.fasthttp import LocustUserAgent
from locust.exception import ResponseError

from loadtest.answer import Answer, read_answer
from loadtest.cases import Case, read_cases
from loadtest.dispatch import Dispatcher
from loadtest.identity import furnish, group_headers
from loadtest.log import RequestLog
from loadtest.schedule import SHAPES
from strategies.errors import StoreRefused
from strategies.run import LoadOptions
from strategies.userlog import REQUEST_ID_HEADER, SLOT_HEADER, VERSION_HEADER

PATH = "/predict"
FEEDBACK_PATH = "/feedback"
FLUSH_SECONDS = 0.05
PARENT_SECONDS = 0.2
DRAIN_SECONDS = 5.0
"""How long requests in flight may take to end once the test is stopped."""
ORPHAN_DRAIN_SECONDS = 0.3
"""The same once the parent is gone: all must have ended within a second."""

# every status is an answer that we judge ourselves; Locust would decode the body of those it calls bad, and fail at it
LocustUserAgent.valid_response_codes = frozenset(range(1000))


class Visitor(FastHttpUser):
    """One user: own cookies, if they keep any, and connections that stay open between requests, as a browser's do.

    A connection that the server has closed meanwhile is no failure: geventhttpclient looks at a kept connection right
    before it uses it (readable while idle means closed) and opens a new one. If the server closes it in the instant
    after that look, the request is on its way and may have been processed, so geventhttpclient does not repeat a POST,
    and neither do we: that is a failure the user has seen. Nothing else is repeated and no redirect is followed.
    """

    max_retries = 0
    max_redirects = 0
    everyone: ClassVar[list["Visitor"]] = []

    def __init__(self, environment: Any) -> None:
        options = environment.parsed_options
        # a user whose last request hangs sends the next one over another connection; waiting for the first would hide it
        self.concurrency = options.in_flight
        # longer than the request's own timeout, which counts over connecting, sending and reading together
        self.connection_timeout = self.network_timeout = options.timeout + 1.0
        self.timeout = options.timeout
        super().__init__(environment)
        number, chosen = len(self.everyone), _load_options(options)
        self.headers = {"Content-Type": "application/json", **group_headers(chosen, number)}
        furnish(self.client.cookiejar, chosen, number, str(self.host))
        self.everyone.append(self)

    @task
    def be_there(self) -> None:
        """Wait for the schedule to call `predict`."""
        Event().wait()

    def predict(self, case: Case, request_id: str) -> Answer:
        """Ask for a prediction; Locust's statistics get their share of the answer."""
        headers = {**self.headers, REQUEST_ID_HEADER: request_id}
        try:
            with gevent.Timeout(self.timeout):
                response = self.client.post(PATH, data=case.body, headers=headers, catch_response=True)
        except Exception as unforeseen:  # noqa: BLE001  an answer that the client cannot digest must not lose its row
            self._report(unforeseen)
            return Answer(failure="connection")
        with response:
            answered = response.headers or Headers()
            slot, version = (next(iter(answered.getlist(name)), "") for name in (SLOT_HEADER, VERSION_HEADER))
            if error := response.request_meta["exception"]:
                # an answer may break off after its head, which says whose failure it is
                return Answer(response.status_code, "timeout" if _timed_out(error) else "connection", slot, version)
            answer = read_answer(response.status_code, slot, version, response.content)
            if answer.failure:
                response.request_meta["exception"] = ResponseError(
                    f"status {answer.status}" + (" without a prediction" if 200 <= answer.status < 300 else "")
                )
            return answer

    def tell(self, request_id: str, truth: str) -> bool:
        """Tell the model API what was right; whether it took it. Locust's statistics count it apart, as another path."""
        body = json.dumps({"request_id": request_id, "truth": truth})
        try:
            with gevent.Timeout(self.timeout):
                response = self.client.post(FEEDBACK_PATH, data=body, headers=self.headers, catch_response=True)
        except Exception:  # noqa: BLE001  as above: whatever it is, the truth was not told
            return False
        with response:
            told = not response.request_meta["exception"] and 200 <= response.status_code < 300
            if not told and not response.request_meta["exception"]:
                response.request_meta["exception"] = ResponseError(f"status {response.status_code}")
            return told

    def hold_back(self) -> None:
        """Show Locust's statistics a request that was not sent."""
        self._report(RuntimeError("unsent: too many requests in flight"))

    def _report(self, error: Exception) -> None:
        self.environment.events.request.fire(
            request_type="POST", name=PATH, response_time=0.0, response_length=0, exception=error, context={}, response=None
        )


class LoadTest:
    """What happens between the start of a test and its end."""

    def __init__(self, environment: Any) -> None:
        self._environment = environment
        self._options: Namespace = environment.parsed_options
        # fixed here: whoever reaches Locust's web page can set any option, but must not choose which file is written
        self._requests = Path(self._options.requests) if self._options.requests else None
        self._log: RequestLog | None = None
        self._dispatcher: Dispatcher | None = None
        environment.events.test_start.add_listener(self._gather)
        environment.events.spawning_complete.add_listener(self._set_off)
        environment.events.test_stopping.add_listener(lambda **_: self._come_back(min(self._options.timeout, DRAIN_SECONDS)))

    def end_with_parent(self, parent: int) -> None:
        """Wait until the process `parent` is gone, then end this one."""
        while os.getppid() == parent:
            gevent.sleep(PARENT_SECONDS)
        self._come_back(ORPHAN_DRAIN_SECONDS)
        os._exit(1)

    def _gather(self, **_: object) -> None:
        Visitor.everyone.clear()

    def _set_off(self, **_: object) -> None:
        if self._dispatcher is not None:
            return
        options = _load_options(self._options)
        try:
            self._log = RequestLog(self._requests) if self._requests else None
            self._dispatcher = Dispatcher(
                options, read_cases(Path(self._options.cases)), tuple(Visitor.everyone), self._log.append if self._log else lambda _: None
            )
        except (ValueError, OSError, StoreRefused) as error:
            self._give_up(str(error))
        else:
            gevent.spawn(self._flush)
            self._dispatcher.start(self._ended)

    def _flush(self) -> None:
        log = self._log
        while log is not None and log is self._log:
            try:
                log.flush()
            except OSError as error:
                self._give_up(f"the users' log cannot be written: {error}")
                return
            gevent.sleep(FLUSH_SECONDS)

    def _come_back(self, seconds: float) -> None:
        # a second SIGTERM comes here as well while the first one waits, and has to wait with it
        if (dispatcher := self._dispatcher) is not None:
            dispatcher.finish(seconds)
            if self._dispatcher and dispatcher.untold:
                logging.error(f"{dispatcher.untold} truths could not be told to {FEEDBACK_PATH}")
            self._dispatcher = None
        log, self._log = self._log, None
        if log is not None:
            try:
                log.close()
            except OSError as error:
                self._complain(f"the users' log cannot be written: {error}")

    def _ended(self, broken_by: BaseException | None) -> None:
        if broken_by:
            self._give_up(f"the schedule could not be carried out: {broken_by!r}")
        else:
            gevent.spawn(self._end)

    def _give_up(self, reason: str) -> None:
        self._complain(reason)
        gevent.spawn(self._end)

    def _complain(self, reason: str) -> None:
        logging.error(reason)
        self._environment.process_exit_code = 1

    def _end(self) -> None:
        runner = self._environment.runner
        if self._options.headless:
            runner.quit()
        else:
            runner.stop()


def _timed_out(error: Exception) -> bool:
    # geventhttpclient wraps what it would have retried
    return isinstance(getattr(error, "original", error), (gevent.Timeout, TimeoutError))


def _load_options(given: Namespace) -> LoadOptions:
    names = set(LoadOptions.__struct_fields__) - {"users", "seconds"}
    return LoadOptions(
        users=len(Visitor.everyone), seconds=given.seconds or None, **{name: value for name, value in vars(given).items() if name in names}
    )


def _add_arguments(parser: Any) -> None:
    default = LoadOptions()
    # Locust alone would begin with one user, and let others come one per second
    parser.set_defaults(num_users=default.users, spawn_rate=default.users)
    parser.add_argument("--rate", type=float, default=default.rate, help="Requests per second of all users together (mean)")
    parser.add_argument("--seed", type=int, default=default.seed, help="The same seed gives the same times, users and cases")
    parser.add_argument("--cases", default="models/holdout.csv", help="What users send: the model store's holdout.csv")
    parser.add_argument("--shape", choices=list(SHAPES), default=default.shape, help="How the rate moves over the seconds")
    parser.add_argument("--seconds", type=float, default=0.0, help="How long; 0: until stopped (constant shape only)")
    parser.add_argument("--timeout", type=float, default=default.timeout, help="Seconds after which a user gives a request up")
    parser.add_argument("--in-flight", type=int, default=default.in_flight, help="Requests under way at once; more are not sent")
    parser.add_argument("--group-header", default="", help="Header by which a group of users tells that it is one, or cookie:NAME")
    parser.add_argument("--group-value", default="", help="What the users of the group send in it")
    parser.add_argument("--group-share", type=int, default=0, help="Percent of the users who belong to the group, chosen by the seed")
    parser.add_argument("--cookies", action="store_true", help="Users keep the cookies that they are given")
    parser.add_argument("--feedback", action="store_true", help="Users tell the model API what was right, after each answer")
    parser.add_argument("--requests", default="", include_in_web_ui=False, help="CSV file to which every request is appended")
    parser.add_argument("--parent", type=int, default=0, include_in_web_ui=False, help="End with the process of this id")


def _init(environment: Any, **_: object) -> None:
    test = LoadTest(environment)
    if environment.parsed_options.parent:
        # Locust's final table of numbers rounded to milliseconds would bury the reason if something goes wrong
        logging.getLogger("locust.stats_logger").setLevel(logging.WARNING)
        gevent.spawn(test.end_with_parent, environment.parsed_options.parent)
        # all is written by then; a second SIGTERM would make Locust shut down twice and leave a traceback
        environment.events.quit.add_listener(lambda exit_code, **_: os._exit(exit_code))


events.init_command_line_parser.add_listener(_add_arguments)  # type: ignore[no-untyped-call]  # locust annotates only some of its functions
events.init.add_listener(_init)  # type: ignore[no-untyped-call]  # as above
