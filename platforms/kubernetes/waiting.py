"""Waiting for the cluster on watches.

What a collection holds is kept up to date in the background, and looked at as often as one likes without a request. The
thread never raises and never decides: while the API server is away it holds what was last known, and goes on when it is
back. Deadlines and signals are heard by whoever waits.
"""

import threading
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from platforms.kubernetes.client import RETRY_EVERY, ApiRefused, Cluster
from strategies.errors import ToolFailed

Json = dict[str, Any]

WATCH_SECONDS = 5
"""How long one watch lasts; also how long its thread may outlive the one who waited."""


class Watched:
    """The objects of the collection at `path` that fit `query`, while the block lasts."""

    def __init__(self, cluster: Cluster, path: str, **query: str) -> None:
        self._cluster = cluster.impatient()
        self._path = path
        self._query = query
        self._objects: dict[str, Json] = {}
        self._known = threading.Event()
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._problem: ToolFailed | None = None

    def __enter__(self) -> Self:
        threading.Thread(target=self._follow, name=f"watch {self._path}", daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._ended.set()

    @property
    def known(self) -> bool:
        """Whether the collection has been read at all."""
        return self._known.is_set()

    @property
    def problem(self) -> str:
        """Why what is known may be old, in a sentence; empty while the watch holds.

        Raises:
            ApiRefused: the collection may not be read, which no waiting changes.
        """
        problem = self._problem
        if isinstance(problem, ApiRefused) and problem.status in {401, 403}:
            raise problem
        return str(problem or "")

    def objects(self) -> list[Json]:
        """What is there, as far as is known."""
        with self._lock:
            return list(self._objects.values())

    def _follow(self) -> None:
        while not self._ended.is_set():
            try:
                version = self._list()
                self._problem = None
                self._known.set()
                for event in self._cluster.watch(self._path, WATCH_SECONDS, resourceVersion=version, **self._query):
                    if self._ended.is_set():
                        return
                    if event["type"] == "ERROR":
                        # the version is too old to go on from
                        break
                    self._take(event)
            except ToolFailed as error:
                self._problem = error
                self._ended.wait(RETRY_EVERY)

    def _list(self) -> str:
        found = self._cluster.get(self._path, **self._query) or {"items": [], "metadata": {"resourceVersion": ""}}
        with self._lock:
            self._objects = {item["metadata"]["uid"]: item for item in found["items"]}
        return str(found["metadata"]["resourceVersion"])

    def _take(self, event: Json) -> None:
        uid = event["object"]["metadata"]["uid"]
        with self._lock:
            if event["type"] == "DELETED":
                with suppress(KeyError):
                    del self._objects[uid]
            else:
                self._objects[uid] = event["object"]
