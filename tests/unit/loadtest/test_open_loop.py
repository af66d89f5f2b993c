"""What users send, when, and what their log says of it: the real child process on a real server."""

import asyncio
import os
import signal
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path
from statistics import median

import pytest

from loadtest.cases import read_cases
from loadtest.schedule import arrivals
from strategies.run import LoadOptions
from strategies.userlog import REQUEST_ID_HEADER, SLOT_HEADER, VERSION_HEADER, Row
from tests.unit.loadtest.load import number, put_load, rows, seconds, users
from tests.unit.loadtest.server import Request, Server, case, reply, serve
from tests.waiting import wait_for

BRIEF = LoadOptions(rate=60, users=8, seed=7, seconds=1.2, timeout=2.0, cookies=True)


async def attentive(request: Request) -> bytes:
    """Always says "benign", names who answered and greets each new user with a cookie of their own."""
    headers = {SLOT_HEADER: "green", VERSION_HEADER: "v2"}
    if "cookie" not in request.headers:
        headers["set-cookie"] = f"user={request.connection}"
    return reply({"prediction": "benign", "probability": 0.9}, headers=headers)


@pytest.fixture(scope="module")
def conversation(tmp_path_factory: pytest.TempPathFactory) -> tuple[Server, list[Row], Path]:
    """What a server and its users say of the same load."""
    folder = tmp_path_factory.mktemp("conversation")
    with serve(Server(attentive)) as server:
        return server, put_load(server.url, BRIEF, folder), folder


Conversation = tuple[Server, list[Row], Path]


def test_every_request_of_the_schedule_is_logged_exactly_once(conversation: Conversation) -> None:
    _, log, folder = conversation
    cases = read_cases(folder / "holdout.csv")
    schedule = list(arrivals(BRIEF, len(cases)))

    assert [number(row) for row in log] == list(range(len(schedule)))
    assert [int(row.user) for row in log] == [arrival.user for arrival in schedule]
    assert [row.truth for row in log] == [cases[arrival.case].truth for arrival in schedule]
    start = seconds(log[0].intended) - schedule[0].offset
    assert [seconds(row.intended) - start for row in log] == pytest.approx([arrival.offset for arrival in schedule], abs=3e-6)


def test_the_server_got_exactly_the_requests_that_were_logged(conversation: Conversation) -> None:
    server, log, _ = conversation

    assert {request.path for request in server.requests} == {"/predict"}
    assert Counter(request.headers[REQUEST_ID_HEADER] for request in server.requests) == Counter(row.request_id for row in log)
    truths = {row.request_id: row.truth for row in log}
    for request in server.requests:
        assert request.headers["content-type"] == "application/json"
        assert len(request.body["features"]) == 30
        assert ("benign", "malignant")[case(request)] == truths[request.headers[REQUEST_ID_HEADER]]


def test_answers_are_logged_with_who_gave_them_right_or_wrong(conversation: Conversation) -> None:
    _, log, _ = conversation

    assert {(row.status, row.failure, row.slot, row.version, row.predicted) for row in log} == {("200", "", "green", "v2", "benign")}
    assert {row.truth for row in log} == {"benign", "malignant"}


def test_a_request_is_sent_when_intended_and_its_latency_counts_from_then(conversation: Conversation) -> None:
    _, log, _ = conversation
    late = [seconds(row.sent) - seconds(row.intended) for row in log]

    assert min(late) >= 0
    assert median(late) < 0.25
    assert all(float(row.latency) > lateness for row, lateness in zip(log, late, strict=True))


def test_users_have_connections_and_cookies_of_their_own_and_keep_them(conversation: Conversation) -> None:
    server, log, _ = conversation
    user = {row.request_id: row.user for row in log}
    by_connection: dict[int, set[str]] = {}
    by_cookie: dict[str, set[str]] = {}
    for request in server.requests:
        by_connection.setdefault(request.connection, set()).add(user[request.headers[REQUEST_ID_HEADER]])
        if "cookie" in request.headers:
            by_cookie.setdefault(request.headers["cookie"], set()).add(user[request.headers[REQUEST_ID_HEADER]])

    assert all(len(owners) == 1 for owners in [*by_connection.values(), *by_cookie.values()])
    assert len(by_connection) < len(log) / 2
    assert set().union(*by_cookie.values()) == set(user.values())


def test_a_server_that_falls_behind_meets_the_same_load_and_cannot_hide_the_waiting(conversation: Conversation, tmp_path: Path) -> None:
    """It answers one request at a time and 30 per second; users send 60. Waiting for answers before sending would slow them down."""
    _, fast, _ = conversation
    one_at_a_time = asyncio.Lock()

    async def answer(_: Request) -> bytes:
        async with one_at_a_time:
            await asyncio.sleep(1 / 30)
        return reply()

    with serve(Server(answer)) as server:
        slow = put_load(server.url, BRIEF, tmp_path)

    assert [(row.user, row.truth) for row in slow] == [(row.user, row.truth) for row in fast]
    for earlier, later in pairwise(range(len(slow))):
        gaps = [seconds(log[later].intended) - seconds(log[earlier].intended) for log in (slow, fast)]
        assert gaps[0] == pytest.approx(gaps[1], abs=3e-6)
    assert median(seconds(row.sent) - seconds(row.intended) for row in slow) < 0.25
    start = seconds(slow[0].intended)
    ends = sorted(seconds(row.intended) + float(row.latency) - start for row in slow if not row.failure)
    assert all(end > (place + 1) / 30 - 0.01 for place, end in enumerate(ends))
    assert max(float(row.latency) for row in slow) > 0.8


def test_requests_that_users_themselves_send_late_are_all_sent_and_have_waited_since_they_were_due(tmp_path: Path) -> None:
    """The load generator is held up for a while, as by a busy machine; its server is quick all the time."""
    options = LoadOptions(rate=60, users=4, seconds=1.5)
    with serve(Server()) as server, users(server.url, options, tmp_path) as (process, log):
        wait_for(lambda: len(server.requests) > 10)
        os.kill(process.pid, signal.SIGSTOP)
        held_up = time.monotonic()
        wait_for(lambda: time.monotonic() > held_up + 0.5)
        os.kill(process.pid, signal.SIGCONT)
        wait_for(lambda: not process.running())

        logged = rows(log)
    assert sorted(map(number, logged)) == list(range(len(list(arrivals(options, 2)))))
    late = [row for row in logged if seconds(row.sent) - seconds(row.intended) > 0.25]
    assert len(late) > 5
    assert all(float(row.latency) > seconds(row.sent) - seconds(row.intended) for row in late)


def test_requests_in_flight_are_bounded_and_what_exceeds_is_logged_as_unsent(tmp_path: Path) -> None:
    in_flight: list[int] = [0]

    async def answer(_: Request) -> bytes:
        in_flight.append(in_flight[-1] + 1)
        await asyncio.sleep(0.3)
        in_flight.append(in_flight[-1] - 1)
        return reply()

    options = LoadOptions(rate=60, seed=2, users=2, seconds=1.0, in_flight=5)
    with serve(Server(answer)) as server:
        log = put_load(server.url, options, tmp_path)

    assert [number(row) for row in log] == list(range(len(list(arrivals(options, 2)))))
    assert max(in_flight) == 5
    unsent = [row for row in log if row.failure == "unsent"]
    assert len(unsent) > 20
    assert len(log) - len(unsent) == len(server.requests)
    for row in unsent:
        assert (row.sent, row.status, row.slot, row.version, row.predicted) == ("", "0", "", "", "")
        assert row.truth
        assert float(row.latency) < 1.5
