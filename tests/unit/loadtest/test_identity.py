"""What servers learn about users: their group, their cookies, and what they say was right."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from loadtest.schedule import arrivals
from strategies.groups import in_group
from strategies.run import LoadOptions
from strategies.userlog import REQUEST_ID_HEADER, Row
from tests.unit.loadtest.load import number, put_load, rows, users
from tests.unit.loadtest.server import Request, Server, reply, serve
from tests.waiting import wait_for

LOAD = LoadOptions(rate=80, users=30, seed=4, seconds=1.0, group_header="x-user-group", group_value="beta", group_share=40)


async def greeting(_: Request) -> bytes:
    return reply(headers={"set-cookie": "lab-run=green"})


def converse(answer: Server, options: LoadOptions, folder: Path) -> tuple[dict[str, Request], list[Row]]:
    """What the server heard, by request id, and what the users logged."""
    with serve(answer) as server:
        log = put_load(server.url, options, folder)
    return {request.headers[REQUEST_ID_HEADER]: request for request in server.requests if request.path == "/predict"}, log


def test_the_users_of_a_group_say_so_each_time_and_all_others_never(tmp_path: Path) -> None:
    heard, log = converse(Server(greeting), LOAD, tmp_path)

    groups = {row.user: heard[row.request_id].headers.get("x-user-group") for row in log}
    assert groups == {user: "beta" if in_group(int(user), 40, LOAD.seed) else None for user in groups}
    assert set(groups.values()) == {"beta", None}
    assert [heard[row.request_id].headers.get("x-user-group") for row in log] == [groups[row.user] for row in log]
    assert not any("cookie" in request.headers for request in heard.values()), "they keep none unless told to"


@pytest.mark.parametrize("keep", [True, False])
def test_a_group_may_tell_by_a_cookie_beside_those_that_users_are_given(tmp_path: Path, keep: bool) -> None:
    options = LoadOptions(rate=80, users=5, seed=4, seconds=1.0, group_header="cookie:group", group_value="a", group_share=40, cookies=keep)
    heard, log = converse(Server(greeting), options, tmp_path)

    said: dict[bool, set[frozenset[str]]] = {True: set(), False: set()}
    for row in log:
        cookies = heard[row.request_id].headers.get("cookie", "")
        said[in_group(int(row.user), 40, options.seed)].add(frozenset(cookies.split("; ")) - {""})
    given = {"lab-run=green"} if keep else set()
    # the first request of a user has not been given anything yet
    assert said[True] == {frozenset({"group=a"}), frozenset({"group=a", *given})}
    assert said[False] == {frozenset(), frozenset(given)}


def test_users_tell_what_was_right_after_each_answer_and_their_log_has_requests_only(tmp_path: Path) -> None:
    async def answer(request: Request) -> bytes:
        return reply({"status": "accepted"}, 202) if request.path == "/feedback" else reply()

    options = LoadOptions(rate=60, users=5, seed=4, seconds=1.0, feedback=True)
    with serve(Server(answer)) as server:
        log = put_load(server.url, options, tmp_path)

    assert [number(row) for row in log] == list(range(len(list(arrivals(options, 2)))))
    told = [request.body for request in server.requests if request.path == "/feedback"]
    assert Counter((body["request_id"], body["truth"]) for body in told) == Counter((row.request_id, row.truth) for row in log)
    order = [request.body.get("request_id") or request.headers[REQUEST_ID_HEADER] for request in server.requests]
    paths = [request.path for request in server.requests]
    for row in log:
        first, second = (index for index, request_id in enumerate(order) if request_id == row.request_id)
        assert (paths[first], paths[second]) == ("/predict", "/feedback")


def test_failed_requests_are_not_told_about_and_truths_that_are_not_heard_are_counted(tmp_path: Path) -> None:
    """Neither changes what the users' log says of their requests."""
    refused = 0

    async def answer(request: Request) -> bytes:
        nonlocal refused
        if request.path == "/predict":
            return reply() if request.body["features"]["feature_0"] else reply({"detail": "broken"}, 500)
        refused += 1
        if refused == 1:
            await asyncio.sleep(60)
        return reply({"detail": "no log"}, 503)

    with (
        serve(Server(answer)) as server,
        users(server.url, LoadOptions(rate=60, users=5, seconds=1.0, timeout=2.0, feedback=True), tmp_path) as (process, log),
    ):
        wait_for(lambda: not process.running())
        assert process.problem() == ""
        logged = rows(log)

    good = [row for row in logged if not row.failure]
    assert {row.status for row in logged} == {"200", "500"}
    assert {request.body["request_id"] for request in server.requests if request.path == "/feedback"} == {row.request_id for row in good}
    assert f"{len(good)} truths could not be told to /feedback" in (tmp_path / "console.txt").read_text()
