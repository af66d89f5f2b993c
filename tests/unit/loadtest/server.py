"""A small real HTTP server, in a thread, whose answers and bad habits are a test's to choose."""

import asyncio
import itertools
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Request:
    """What arrived; `connection` counts the connections that the server accepted."""

    path: str
    headers: dict[str, str]
    body: Any
    connection: int


def case(request: Request) -> int:
    """The number of the case that was sent (tests.unit.loadtest.load.write_cases)."""
    return int(request.body["features"]["feature_0"])


def reply(body: object = None, status: int = 200, headers: dict[str, str] | None = None) -> bytes:
    """An HTTP answer; `body` is sent as it is if it is bytes, else as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body if body is not None else {"prediction": "benign"}).encode()
    lines = [f"HTTP/1.1 {status} Whatever", f"content-length: {len(content)}", *(f"{k}: {v}" for k, v in (headers or {}).items())]
    return "\r\n".join([*lines, "", ""]).encode() + content


async def always_benign(_: Request) -> bytes:
    return reply()


@dataclass
class Server:
    """`answer` returns the bytes to send; they end the connection if they say "connection: close" or are too short.

    A connection on which nothing arrives for `idle_timeout` seconds is closed.
    """

    answer: Callable[[Request], Awaitable[bytes]] = always_benign
    idle_timeout: float = 60.0
    requests: list[Request] = field(default_factory=list)
    url: str = ""
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = next(self._numbers)
        try:
            while True:
                head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), self.idle_timeout)
                first, *lines = head.decode().strip().split("\r\n")
                headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                request = Request(first.split(" ")[1], headers, json.loads(body or b"null"), number)
                self.requests.append(request)
                data = await self.answer(request)
                writer.write(data)
                await writer.drain()
                if b"connection: close" in data or b"\r\n\r\n" not in data:
                    return
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@contextmanager
def serve(server: Server) -> Iterator[Server]:
    """Have `server` answer on a free port of the loopback, at `server.url`."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    listening = asyncio.run_coroutine_threadsafe(asyncio.start_server(server.converse, "127.0.0.1", 0), loop).result(10)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(_hang_up(listening), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _hang_up(listening: asyncio.Server) -> None:
    listening.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.sleep(0)  # closed transports say goodbye in the loop's next round
