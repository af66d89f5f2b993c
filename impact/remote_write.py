"""Metrics pushed to a Prometheus that cannot scrape us, by its remote-write protocol 1.0; gone again when we are.

A cluster's Prometheus reaches pods and not the terminal that performs a rollout, but through a published port that terminal
reaches it. What no longer is (a phase that is over, what one that was killed has left, at the end everything) is marked as stale,
or Prometheus would show it for five minutes more. The message is small and its format is frozen, so it is encoded here rather
than by a generated library.
"""

import json
import logging
import struct
import threading
import time
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import NamedTuple, Self

import cramjam
import httpx
import msgspec
from prometheus_client import CollectorRegistry

logger = logging.getLogger(__name__)

STALE = struct.pack("<Q", 0x7FF0000000000002)
"""The one NaN that means "this series has ended"."""
EVERY = 1.0
"""Seconds between two pushes."""
TIMEOUT = 3.0
"""Seconds after which a push is given up; the next one has newer values anyway."""
LAST_TRIES = 3
"""How often the end of all series is sent to a Prometheus too busy to answer: after it there is no next push."""
HEADERS = {
    "Content-Encoding": "snappy",
    "Content-Type": "application/x-protobuf",
    "User-Agent": "labctl",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
}

Series = tuple[tuple[str, str], ...]
"""A series' labels, `__name__` among them, in the order of their names as Prometheus wants them."""


class Sample(NamedTuple):
    """A value of a series; None marks it as stale."""

    series: Series
    value: float | None


class _Shown(msgspec.Struct):
    metric: dict[str, str]


class _Data(msgspec.Struct):
    result: tuple[_Shown, ...]


class _Answer(msgspec.Struct):
    data: _Data


def encode(samples: Iterable[Sample], milliseconds: int) -> bytes:
    """A `prometheus.WriteRequest` with all samples at one time (since the epoch), not yet compressed."""
    return b"".join(_field(1, _time_series(sample, milliseconds)) for sample in samples)


def _time_series(sample: Sample, milliseconds: int) -> bytes:
    labels = b"".join(_field(1, _field(1, name.encode()) + _field(2, value.encode())) for name, value in sample.series)
    value = STALE if sample.value is None else struct.pack("<d", sample.value)
    # field 1 is a fixed 64-bit double, field 2 a varint
    return labels + _field(2, b"\x09" + value + b"\x10" + _varint(milliseconds))


def _field(number: int, content: bytes) -> bytes:
    """A field with a length: a message or a string."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    groups = bytearray()
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)


class RemoteWriter:
    """Pushes what `registry` holds to the Prometheus at `url`, from a thread of its own, for as long as it is entered.

    `labels` (such as `job`) are added to each series. What is shown with them, under a name that matches the regular expression
    `names`, when it is entered was left by one that could not end it, and ends. A push that fails is written to the log and made
    up for by the next one: nobody's rollout fails for want of a dashboard.
    """

    def __init__(self, registry: CollectorRegistry, url: str, labels: Mapping[str, str], names: str, every: float = EVERY) -> None:
        self._registry = registry
        self._labels = dict(labels)
        # by name, too: an alert has its series' labels, and is Prometheus' own to end
        matchers = [f"__name__=~{json.dumps(names)}", *(f"{name}={json.dumps(value)}" for name, value in labels.items())]
        self._ours = "{" + ",".join(matchers) + "}"
        self._left_is_known = False
        self._every = every
        self._client = httpx.Client(base_url=url, timeout=TIMEOUT, trust_env=False)
        self._living: set[Series] = set()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._push_until_done, name="remote-write", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._done.set()
        self._thread.join()
        for _ in range(LAST_TRIES):
            if self._push([]):
                break
        self._client.close()

    def _push_until_done(self) -> None:
        while True:
            self._push(self._collect())
            if self._done.wait(self._every):
                return

    def _collect(self) -> list[Sample]:
        return [
            # to Prometheus a label without a value is none
            Sample(
                tuple(sorted((name, value) for name, value in {**self._labels, **sample.labels, "__name__": sample.name}.items() if value)),
                sample.value,
            )
            for family in self._registry.collect()
            for sample in family.samples
        ]

    def _push(self, samples: list[Sample]) -> bool:
        """Send them, and an end for each series that was there and is not any more; whether it is of no use to try again at once."""
        if not self._left_is_known:
            self._learn_what_is_left()
        there = {sample.series for sample in samples}
        ends = [Sample(series, None) for series in self._living - there]
        if not (samples or ends):
            return True
        body = bytes(cramjam.snappy.compress_raw(encode([*samples, *ends], time.time_ns() // 1_000_000)))
        # an answer that is lost may have been a success, so what was sent counts as living until its end was taken
        self._living |= there
        try:
            self._client.post("/api/v1/write", content=body, headers=HEADERS).raise_for_status()
        except httpx.HTTPError as error:
            logger.warning("the metrics could not be pushed to %s: %s", self._client.base_url, error or type(error).__name__)
            return not isinstance(error, httpx.TimeoutException)
        self._living = there
        return True

    def _learn_what_is_left(self) -> None:
        """Count as living what is shown as ours before anything is sent: nobody else will tell its end."""
        try:
            answer = self._client.get("/api/v1/query", params={"query": self._ours}).raise_for_status()
            found = msgspec.json.decode(answer.content, type=_Answer)
        except (httpx.HTTPError, msgspec.MsgspecError) as error:
            logger.warning("what is shown of an earlier run is not known: %s: %s", self._client.base_url, error or type(error).__name__)
            return
        self._living |= {tuple(sorted(shown.metric.items())) for shown in found.data.result}
        self._left_is_known = True
