"""The cases that a run's users send, with the cluster: who goes on with the run on another machine must ask the same of both versions.

A ConfigMap of its own, written once for a run: the record of what has happened is written at every step.
"""

import base64
import gzip
import zlib
from typing import Any

import msgspec

from platforms.kubernetes.client import Cluster
from strategies.errors import StoreRefused, ToolFailed

Json = dict[str, Any]

NAME = "labctl-cases"
MOST = 1_000_000
"""Bytes, packed: the API server takes a ConfigMap of 1 MiB."""
_FILE = "holdout.csv.gz"
_RUN = "lab/run"


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """The `content` of a holdout.csv, and the id of the run whose users send it."""

    run: str
    content: bytes


class CasesRecord:
    """The cases in `namespace`. Its methods raise StoreRefused if they cannot be read or written."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster = cluster
        self._path = f"/api/v1/namespaces/{namespace}/configmaps/{NAME}"

    def read(self) -> Kept | None:
        """Those of the run that was begun last; None if there are none."""
        try:
            found = self._cluster.get(self._path)
        except ToolFailed as error:
            raise StoreRefused(f"the users' cases in the cluster cannot be read: {error}") from error
        if found is None:
            return None
        try:
            content = gzip.decompress(base64.b64decode(found["binaryData"][_FILE]))
            return Kept(run=str(found["metadata"]["annotations"][_RUN]), content=content)
        except (KeyError, ValueError, OSError, EOFError, zlib.error) as error:
            raise StoreRefused(
                f"the users' cases in the cluster are damaged ({error!r}); `kubectl delete configmap {NAME}` forgets them"
            ) from error

    def write(self, run: str, content: bytes) -> bool:
        """Keep them for `run` in place of those of the run before; False if they are too large."""
        packed = base64.b64encode(gzip.compress(content, mtime=0)).decode()
        if len(packed) > MOST:
            return False
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": NAME, "annotations": {_RUN: run}},
            "binaryData": {_FILE: packed},
        }
        try:
            self._cluster.apply(self._path, body, force=True)
        except ToolFailed as error:
            raise StoreRefused(f"the users' cases cannot be kept in the cluster: {error}") from error
        return True
