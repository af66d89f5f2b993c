"""Users of the gateway: they send cases of the holdout and note who answered."""

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle
from types import TracebackType
from typing import NamedTuple, Self

import httpx

from loadtest.cases import Case
from strategies.traffic import Slot
from strategies.userlog import SLOT_HEADER, VERSION_HEADER

PATIENCE = 10.0
"""Seconds; longer than any route timeout, so that it is the proxy that gives up and says whose request it was."""


class Answer(NamedTuple):
    """What a user got: `status` is 0 if the connection broke; `version` is empty if no replica answered."""

    status: int
    slot: str
    version: str


class Gateway:
    """The one door to both slots."""

    def __init__(self, url: str, cases: Sequence[Case]) -> None:
        self._bodies = cycle([case.body for case in cases])
        self._turn = threading.Lock()
        # the machine's proxy settings are not for loopback
        self._client = httpx.Client(base_url=url, timeout=PATIENCE, trust_env=False, headers={"content-type": "application/json"})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._client.close()

    def predict(self) -> Answer:
        """Send one case on a connection that is kept."""
        with self._turn:
            body = next(self._bodies)
        try:
            answer = self._client.post("/predict", content=body)
        except httpx.TransportError:
            return Answer(0, "", "")
        return Answer(answer.status_code, answer.headers.get(SLOT_HEADER, ""), answer.headers.get(VERSION_HEADER, ""))

    def count(self, requests: int) -> Counter[Answer]:
        """Who answered that many requests, sent one after another."""
        return Counter(self.predict() for _ in range(requests))

    def echo(self, header: str, value: str) -> str:
        """What `header` of the answer is to a request that had `value` in it."""
        return str(self._client.get("/version", headers={header: value}).headers.get(header, ""))

    @contextmanager
    def users(self, rate: float = 100.0, threads: int = 4) -> Iterator[list[Answer]]:
        """Users in the background, `rate` requests per second in all; the list of their answers is whole after the block."""
        answers: list[Answer] = []
        enough = threading.Event()

        def live() -> None:
            while not enough.wait(threads / rate):
                answers.append(self.predict())

        crowd = [threading.Thread(target=live) for _ in range(threads)]
        for user in crowd:
            user.start()
        try:
            yield answers
        finally:
            enough.set()
            for user in crowd:
                user.join()


def answered(counted: Counter[Answer], slot: Slot) -> int:
    """How many answers bear the slot's name."""
    return sum(number for answer, number in counted.items() if answer.slot == slot)
