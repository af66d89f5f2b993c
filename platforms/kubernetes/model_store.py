"""The model store in the cluster: an S3 server, filled from this machine's store by the model API's own program.

A version is published once and never changed: one that was trained anew under the same name is refused, since replicas that
were started with the old one would no longer start.
"""

import base64
import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from platforms.kubernetes.client import Cluster
from platforms.kubernetes.settings import KubernetesSettings
from platforms.kubernetes.tools import Tools
from platforms.ports import free_ports
from strategies.errors import CouldNotRun, StoreRefused, ToolFailed
from strategies.waiting import wait_until

URL = "s3://models"
SECRET = "lab-store"
SERVICE = "store"
PORT = 7070
REGION = "us-east-1"
SECONDS = 300.0
"""For one version: a model may be large."""
_LISTED = re.compile(r"^(?P<version>\S+)\s+(?P<digest>[0-9a-f]{12})\b", re.MULTILINE)


def fill(tools: Tools, cluster: Cluster, settings: KubernetesSettings, store: Path, only: str = "") -> None:
    """Publish every version of the local `store` that the cluster's does not have, or `only` that one.

    Raises:
        StoreRefused: one is there already with another model.
        ToolFailed: the store in the cluster cannot be reached.
    """
    with _reachable(tools, settings) as endpoint:
        environment = {**_credentials(cluster, settings), "AWS_ENDPOINT_URL": endpoint, "AWS_DEFAULT_REGION": REGION}
        listed = tools.run(*_program("list", "--store", URL), timeout=SECONDS, environment=environment)
        there = {found["version"]: found["digest"] for found in _LISTED.finditer(listed)}
        for version, digest in _versions(store).items():
            if only not in {"", version} or digest.startswith(there.get(version, "-")):
                continue
            tools.say(f"publishing {version} to the model store in the cluster")
            try:
                tools.run(*_program("publish", version, "--from", str(store), "--store", URL), timeout=SECONDS, environment=environment)
            except ToolFailed as error:
                raise StoreRefused(error.stderr.strip() or str(error)) from error


def values() -> dict[str, dict[str, str]]:
    """What a slot's release must know of it."""
    return {"store": {"url": URL, "secret": SECRET, "endpoint": f"http://{SERVICE}:{PORT}", "region": REGION}}


def _versions(store: Path) -> dict[str, str]:
    """The sha256 of each version of a local store."""
    cards = sorted(store.glob("*/model.json"))
    try:
        return {card.parent.name: str(json.loads(card.read_bytes())["sha256"]) for card in cards}
    except (OSError, ValueError, KeyError) as error:
        raise StoreRefused(
            f"the model store {store} has a card that cannot be read ({error}); `labctl model train` writes it anew"
        ) from error


def _program(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "app.stores", *arguments)


def _credentials(cluster: Cluster, settings: KubernetesSettings) -> dict[str, str]:
    found = cluster.get(f"/api/v1/namespaces/{settings.namespace}/secrets/{SECRET}")
    if found is None:
        raise CouldNotRun(f"namespace {settings.namespace} has no Secret {SECRET}; `labctl down`, then `labctl up`")
    return {key: base64.b64decode(found["data"][key]).decode() for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}


@contextmanager
def _reachable(tools: Tools, settings: KubernetesSettings) -> Iterator[str]:
    """The address of the store on this machine: published by kind, else forwarded through the API server for the while."""
    if settings.cluster:
        yield f"http://127.0.0.1:{settings.ports.store}"
        return
    (port,) = free_ports(1)
    where = ("--context", settings.context, "--namespace", settings.namespace)
    forward = subprocess.Popen(
        ("kubectl", *where, "port-forward", f"service/{SERVICE}", f"{port}:{PORT}", "--address", "127.0.0.1"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_until(
            lambda: _listens(port),
            timeout=30.0,
            clock=tools.clock,
            reason=lambda: f"kubectl forwards no port to the store in {settings.namespace}",
        )
        yield f"http://127.0.0.1:{port}"
    finally:
        forward.terminate()
        forward.wait()


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1.0):
        return True
    return False
