"""The rollout's record in the cluster: its plan and its events, so that another machine can see, end or resume it.

One ConfigMap, compressed. Looks at the counts are left out, being many, and of use to a report only; the users' log stays
where the users ran. It carries the number of the run that wrote it, as the routes do: an older one that was stopped and is
woken neither writes over its successor's record nor removes it.
"""

import base64
import zlib
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from platforms.kubernetes.client import ApiRefused, Cluster
from strategies.errors import StoreRefused, TakenOver, ToolFailed
from strategies.events import AnyEvent, Looked
from strategies.run import Run

Json = dict[str, Any]
T = TypeVar("T")

NAME = "labctl-run"
_RUN = "lab/run"
_PLACE = "lab/folder"
_GENERATION = "lab/generation"
ATTEMPTS = 5
"""Writes that lost a race with somebody else's before one gives up."""
_OVER = "lab/over"


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """What the cluster knows of a run.

    Attributes:
        folder: "machine:path" of its folder, where more is known.
    """

    run: Run
    events: tuple[AnyEvent, ...]
    folder: str


class Record:
    """The record in `namespace`. Its methods raise StoreRefused if it cannot be read or written, TakenOver if a newer run has it."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster = cluster
        self._path = f"/api/v1/namespaces/{namespace}/configmaps/{NAME}"

    def write(self, run: Run, events: Sequence[AnyEvent], folder: str, generation: int = 0) -> None:
        """Say that `run` changes the lab, what it has done so far, and where its folder is ("machine:path").

        `generation` is the number of the lease under which it is written.
        """
        kept = [event for event in events if not isinstance(event, Looked)]
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": NAME, "annotations": {_RUN: run.id, _PLACE: folder, _GENERATION: str(generation), _OVER: ""}},
            "binaryData": {"plan": _packed(run), "events": _packed(kept)},
        }
        try:
            for _ in range(ATTEMPTS):
                if self._applied(body, generation):
                    return
        except ToolFailed as error:
            raise StoreRefused(f"the rollout's record cannot be kept in the cluster: {error}") from error
        raise StoreRefused(f"the rollout's record cannot be kept in the cluster: somebody else writes the ConfigMap {NAME} again and again")

    def read(self) -> Recorded | None:
        """The run that changes the lab, or that was left behind; None if there is none."""
        found = self._get()
        return None if found is None or _is_over(found) else _recorded(found)

    def last(self) -> Recorded | None:
        """The run that changed the lab last, over or not; None if there was none."""
        found = self._get()
        return None if found is None else _recorded(found)

    def end(self, generation: int = 0) -> None:
        """Say that no run changes the lab any more. What is known of the last one stays, for those who watch it from elsewhere.

        `generation` as for `write`, 0 for whoever it was.
        """
        while (found := self._get()) and not _is_over(found):
            if generation:
                _refuse_if_newer(found, generation)
            found["metadata"]["annotations"][_OVER] = "yes"
            try:
                self._cluster.replace(self._path, found)
            except ToolFailed as error:
                if not isinstance(error, ApiRefused) or error.status != 409:
                    raise StoreRefused(f"the end of the rollout cannot be recorded in the cluster: {error}") from error

    def _get(self) -> Json | None:
        try:
            return self._cluster.get(self._path)
        except ToolFailed as error:
            raise StoreRefused(f"the rollout's record in the cluster cannot be read: {error}") from error

    def _applied(self, body: Json, generation: int) -> bool:
        """Write once; False if somebody else wrote between our look and that."""
        found = self._cluster.get(self._path)
        _refuse_if_newer(found, generation)
        version = {"resourceVersion": found["metadata"]["resourceVersion"]} if found else {}
        try:
            self._cluster.apply(self._path, {**body, "metadata": {**body["metadata"], **version}}, force=True)
        except ApiRefused as error:
            # 404 where a version was named: it was removed after it was read
            if error.status in {404, 409}:
                return False
            raise
        return True


def _is_over(found: Json) -> bool:
    return bool((found["metadata"].get("annotations") or {}).get(_OVER))


def _recorded(found: Json) -> Recorded:
    try:
        data = found["binaryData"]
        return Recorded(
            run=_unpacked(data["plan"], Run),
            events=_unpacked(data["events"], tuple[AnyEvent, ...]),
            folder=str(found["metadata"]["annotations"][_PLACE]),
        )
    except (KeyError, ValueError, zlib.error, msgspec.MsgspecError) as error:
        raise StoreRefused(
            f"the rollout's record in the cluster is damaged, or of another version of the lab ({error}); "
            f"`kubectl delete configmap {NAME}` forgets it"
        ) from error


def _refuse_if_newer(found: Json | None, generation: int) -> None:
    owner = int(((found or {}).get("metadata", {}).get("annotations") or {}).get(_GENERATION, 0))
    if owner > generation:
        raise TakenOver(f"number {owner}, a newer one, has taken this rollout over, so nothing more is written by this one")


def _packed(value: object) -> str:
    return base64.b64encode(zlib.compress(msgspec.json.encode(value))).decode()


def _unpacked(text: str, kind: type[T]) -> T:
    return msgspec.json.decode(zlib.decompress(base64.b64decode(text)), type=kind)
