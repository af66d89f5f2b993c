"""The service as the pages call it: what passes is tried again, and everything else is a sentence at once."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from app.errors import ServiceFailed
from app.pages.calling import Service
from app.store import read_card
from tests.unit.app.replica import Replica

pytestmark = pytest.mark.usefixtures("nothing_left_running")

ANSWER = {"prediction": "benign", "probabilities": {"benign": 0.9, "malignant": 0.1}, "version": "v1"}
Reply = Callable[[BaseHTTPRequestHandler, int], None]
"""How the request of that number, from 1, is answered."""


@contextmanager
def served(reply: Reply) -> Iterator[tuple[str, list[str]]]:
    """A real server on a free port: its URL, and the paths that were asked for so far."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            asked.append(self.path)
            reply(self, len(asked))

        def log_message(self, *_: object) -> None:
            """Nothing: it would be written between the tests' names."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def answer(handler: BaseHTTPRequestHandler, status: int, content: bytes, **headers: str) -> None:
    """A whole answer."""
    handler.send_response(status)
    for name, value in {"content-length": str(len(content)), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(content)


def test_a_service_that_is_away_for_a_moment_is_asked_again_and_not_as_late_as_it_would_like() -> None:
    def reply(handler: BaseHTTPRequestHandler, number: int) -> None:
        if number < 3:
            answer(handler, 503, b"{}", retry_after="60")
        else:
            answer(handler, 200, json.dumps(ANSWER).encode())

    with served(reply) as (url, asked):
        found = Service(url).ask({"mean_radius": 1.0})

    assert found.version == "v1"
    assert asked == ["/predict"] * 3
    assert found.seconds < 5 * 0.4


def test_one_that_stays_away_is_a_sentence_with_what_it_said() -> None:
    with served(lambda handler, _: answer(handler, 503, b'{"detail": "it drains"}')) as (url, asked):
        with pytest.raises(ServiceFailed, match=r"refused this \(503\): it drains"):
            Service(url).ask({})

        assert len(asked) == 3


@pytest.mark.parametrize("begun", [False, True], ids=["no byte", "a part"])
def test_one_that_takes_a_request_and_hangs_is_asked_once_and_said_to_hang(*, begun: bool) -> None:
    over = threading.Event()

    def reply(handler: BaseHTTPRequestHandler, _: int) -> None:
        if begun:
            handler.send_response(200)
            handler.send_header("content-length", "100")
            handler.end_headers()
            handler.wfile.write(b"{")
        over.wait(60)

    with served(reply) as (url, asked):
        began = time.monotonic()
        try:
            with pytest.raises(ServiceFailed, match=r"has taken the request and not answered within 0\.2 s"):
                Service(url, seconds=0.2).ask({})
            took = time.monotonic() - began
        finally:
            over.set()

    assert len(asked) == 1
    assert took < 5 * 0.2


def test_a_key_that_is_missing_or_wrong_and_a_case_out_of_range_are_sentences(store: Path, tmp_path: Path) -> None:
    replica = Replica(store, "v1", tmp_path / "log", {"api_key": "a long secret"})
    try:
        replica.wait_until_ready()
        example = read_card(store, "v1").example
        assert Service(replica.url, "a long secret").ask(example).version == "v1"
        for key in ("", "another secret"):
            with pytest.raises(ServiceFailed, match=r"asks for an API key, and the pages have none or another: .*LAB_API_KEY"):
                Service(replica.url, key).ask(example)
        feature = next(iter(example))
        with pytest.raises(ServiceFailed, match=rf"refused this \(422\): {feature}: .*less than or equal"):
            Service(replica.url, "a long secret").ask({**example, feature: 1e9})
    finally:
        replica.end()
