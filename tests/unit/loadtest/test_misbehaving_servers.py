"""What users make of servers that fail them."""

import asyncio
import socket
from collections import Counter
from pathlib import Path

from loadtest.schedule import arrivals
from strategies.run import LoadOptions
from strategies.userlog import REQUEST_ID_HEADER
from tests.unit.loadtest.load import put_load
from tests.unit.loadtest.server import Request, Server, case, reply, serve

MISDEEDS: dict[str, tuple[bytes | None, str, str]] = {
    "good": (reply({"prediction": "good"}), "200", ""),
    "created": (reply({"prediction": "good"}, 201), "201", ""),
    "no prediction": (reply({"class": "good"}), "200", "status"),
    "no JSON": (reply(b"<p>good</p>"), "200", "status"),
    "nothing": (b"HTTP/1.1 204 No Content\r\n\r\n", "204", "status"),
    "broken": (reply({"prediction": "good"}, 500), "500", "status"),
    "broken in bytes": (reply(b"\xff\xfe", 503), "503", "status"),
    "elsewhere": (reply({}, 302, {"location": "/elsewhere"}), "302", "status"),
    "garbled": (reply(b"no gzip", headers={"content-encoding": "gzip"}), "200", "connection"),
    "unknown coding": (reply(b"?", headers={"content-encoding": "zap"}), "0", "connection"),
    "half a body": (b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\nconnection: close\r\n\r\n{", "200", "connection"),
    "half a head": (b"HTTP/1.1 200 O", "0", "connection"),
    "no HTTP": (b"good\r\n", "0", "connection"),
    "silence": (b"", "0", "connection"),
    "never": (None, "0", "timeout"),
}


def test_each_misdeed_of_a_server_is_logged_as_what_it_is_and_nothing_is_sent_twice(tmp_path: Path) -> None:
    async def answer(request: Request) -> bytes:
        data, _, _ = MISDEEDS[list(MISDEEDS)[case(request)]]
        if data is None:
            await asyncio.sleep(30)
        return data or b""

    options = LoadOptions(rate=80, seed=3, users=5, seconds=1.0, timeout=1.5)
    with serve(Server(answer)) as server:
        log = put_load(server.url, options, tmp_path, list(MISDEEDS))

    assert {(row.truth, row.status, row.failure) for row in log} == {(name, *seen) for name, (_, *seen) in MISDEEDS.items()}
    assert Counter(request.headers[REQUEST_ID_HEADER] for request in server.requests) == Counter(row.request_id for row in log)
    assert {request.path for request in server.requests} == {"/predict"}
    for row in log:
        if row.failure == "timeout":
            assert 1.5 <= float(row.latency) < 4.0


def test_a_body_that_trickles_in_has_no_more_time_than_the_whole_request_has(tmp_path: Path) -> None:
    """A timeout for each read alone would never end it. Its head has named the slot whose failure it is."""

    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nx-lab-slot: green\r\nx-served-by: v2\r\ncontent-length: 9999\r\n\r\n")
        try:
            while not writer.is_closing():
                writer.write(b" ")
                await asyncio.sleep(0.05)
        finally:
            writer.transport.abort()

    server = Server()
    server.converse = trickle  # type: ignore[method-assign]  # a server without any manners
    with serve(server):
        log = put_load(server.url, LoadOptions(rate=20, seconds=0.5, timeout=1.5), tmp_path)

    assert {(row.status, row.failure, row.slot, row.version) for row in log} == {("200", "timeout", "green", "v2")}
    assert all(1.5 <= float(row.latency) < 4.0 for row in log)


def test_nobody_listening_is_a_failed_connection_at_once(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        log = put_load(f"http://127.0.0.1:{taken.getsockname()[1]}", LoadOptions(rate=40, seconds=0.5), tmp_path)

    assert len(log) == len(list(arrivals(LoadOptions(rate=40, seconds=0.5), 2)))
    assert {(row.status, row.failure, row.slot, row.predicted) for row in log} == {("0", "connection", "", "")}
    assert all(row.sent and float(row.latency) < 2.0 for row in log)


def test_a_server_that_closes_connections_between_requests_fails_nobody(tmp_path: Path) -> None:
    """Closing an idle connection, or announcing it with "Connection: close", is a server's right."""

    async def answer(request: Request) -> bytes:
        return reply(headers={"connection": "close"} if case(request) else {})

    with serve(Server(answer, idle_timeout=0.05)) as server:
        log = put_load(server.url, LoadOptions(rate=40, users=4, seconds=1.5), tmp_path)

    assert {(row.status, row.failure) for row in log} == {("200", "")}
    connections = Counter(request.connection for request in server.requests)
    assert len(connections) > 4, "connections were closed and opened anew"
    assert max(connections.values()) > 1, "and used again where they were not"
