"""The rollout's record in the cluster: its plan and its events, so that another machine can see, end or resume it.

One ConfigMap, compressed. Looks at the counts are left out, being many, and of use to a report only; the users' log stays
where the users ran.
"""

import base64
import zlib
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from platforms.kubernetes.client import ApiRefused, Cluster
from strategies.errors import StoreRefused, ToolFailed
from strategies.events import AnyEvent, Looked
from strategies.run import Run

Json = dict[str, Any]
T = TypeVar("T")

NAME = "labctl-run"
_RUN = "lab/run"
_PLACE = "lab/folder"
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
    """The record in `namespace`. Its methods raise StoreRefused if it cannot be read or written."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster = cluster
        self._path = f"/api/v1/namespaces/{namespace}/configmaps/{NAME}"

    def write(self, run: Run, events: Sequence[AnyEvent], folder: str) -> None:
        """Say that `run` changes the lab, what it has done so far, and where its folder is ("machine:path")."""
        kept = [event for event in events if not isinstance(event, Looked)]
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": NAME, "annotations": {_RUN: run.id, _PLACE: folder, _OVER: ""}},
            "binaryData": {"plan": _packed(run), "events": _packed(kept)},
        }
        try:
            self._cluster.apply(self._path, body, force=True)
        except ToolFailed as error:
            raise StoreRefused(f"the rollout's record cannot be kept in the cluster: {error}") from error

    def read(self) -> Recorded | None:
        """The run that changes the lab, or that was left behind; None if there is none."""
        found = self._get()
        return None if found is None or _is_over(found) else _recorded(found)

    def last(self) -> Recorded | None:
        """The run that changed the lab last, over or not; None if there was none."""
        found = self._get()
        return None if found is None else _recorded(found)

    def end(self) -> None:
        """Say that no run changes the lab any more. What is known of the last one stays, for those who watch it from elsewhere."""
        while (found := self._get()) and not _is_over(found):
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


def _packed(value: object) -> str:
    return base64.b64encode(zlib.compress(msgspec.json.encode(value))).decode()


def _unpacked(text: str, kind: type[T]) -> T:
    return msgspec.json.decode(zlib.decompress(base64.b64decode(text)), type=kind)
