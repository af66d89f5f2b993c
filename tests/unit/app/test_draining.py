"""Told to stop, a replica loses no request: neither those in flight nor those that come while it drains."""

import re
import signal
import threading
import time
from collections import Counter

import httpx

from tests.unit.app.conftest import ReplicaFactory
from tests.unit.app.replica import DEADLINE, Replica
from tests.unit.app.test_api import holdout_case
from tests.waiting import wait_for

CASE = holdout_case(0)


def wait_until_draining(one: Replica) -> None:
    wait_for(lambda: httpx.get(f"{one.url}/readyz").status_code == 503, "it drains", DEADLINE)


def wait_until_in_flight(one: Replica, requests: int) -> None:
    def there() -> bool:
        found = re.search(r"model_api_in_flight_requests\{.*\} (\S+)", httpx.get(f"{one.url}/metrics").text)
        return found is not None and float(found[1]) == requests

    wait_for(there, f"{requests} in flight", DEADLINE)


def wait_until_refused(one: Replica) -> None:
    def refused() -> bool:
        try:
            httpx.get(f"{one.url}/healthz")
        except httpx.ConnectError:
            return True
        except httpx.TransportError:
            pass  # accepted in the instant in which the listener closed
        return False

    wait_for(refused, "it refuses connections", DEADLINE)


class User(threading.Thread):
    """Sends cases over a connection that is kept alive, until told to stop, and keeps what came back."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.stop = threading.Event()
        self.answers: Counter[tuple[int, str | None]] = Counter()
        self.failures: list[Exception] = []

    def run(self) -> None:
        with httpx.Client(timeout=DEADLINE) as client:
            while not self.stop.is_set():
                try:
                    answer = client.post(f"{self.url}/predict", json=CASE)
                    self.answers[answer.status_code, answer.headers.get("connection")] += 1
                except httpx.TransportError as exc:
                    self.failures.append(exc)
                self.stop.wait(0.005)


def test_sigterm_amid_slow_requests_of_busy_users_loses_none_and_ends_with_0(replica: ReplicaFactory) -> None:
    one = replica("v2", drain_seconds="1", latency_seconds="0.05")
    users = [User(one.url) for _ in range(4)]
    for user in users:
        user.start()
    try:
        wait_for(lambda: min(sum(user.answers.values()) for user in users) >= 3, "three answers for each", DEADLINE)

        one.process.terminate()
        wait_until_draining(one)
        told = time.monotonic()
        # new connections are still accepted, and each answer closes its own
        while time.monotonic() < told + 0.5:
            assert httpx.get(f"{one.url}/healthz").headers["connection"] == "close"
    finally:
        for user in users:
            user.stop.set()
        for user in users:
            user.join(DEADLINE)

    assert one.process.wait(DEADLINE) == 0
    assert time.monotonic() - told > 0.7
    for user in users:
        assert user.failures == []
        assert set(user.answers) == {(200, None), (200, "close")}
        assert user.answers[200, "close"] > 1, "it came back over a new connection"


def test_what_is_in_flight_when_the_listener_closes_is_answered(replica: ReplicaFactory) -> None:
    one = replica("v1", drain_seconds="0.2", latency_seconds="1")
    answers: list[httpx.Response] = []
    with httpx.Client(timeout=DEADLINE) as kept, httpx.Client(timeout=DEADLINE) as idle:
        idle.get(f"{one.url}/version")
        asking = threading.Thread(target=lambda: answers.append(kept.post(f"{one.url}/predict", json=CASE)))
        asking.start()
        wait_until_in_flight(one, 1)

        one.process.terminate()
        wait_until_refused(one)
        assert asking.is_alive()
        assert one.process.poll() is None

        asking.join(DEADLINE)
        assert [answer.status_code for answer in answers] == [200]
        assert answers[0].headers["connection"] == "close"
        assert one.process.wait(DEADLINE) == 0


def test_sigint_drains_alike_and_further_signals_do_not_shorten_it(replica: ReplicaFactory) -> None:
    one = replica("v1", drain_seconds="0.6")
    one.process.send_signal(signal.SIGINT)
    wait_until_draining(one)
    told = time.monotonic()

    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGINT, signal.SIGTERM):
        one.process.send_signal(signum)
        assert httpx.get(f"{one.url}/readyz").status_code == 503

    assert one.process.wait(DEADLINE) == 0
    assert time.monotonic() - told > 0.4
