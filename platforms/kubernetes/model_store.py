"""The model store in the cluster: an S3 server, filled from this machine's store by the model API's own program.

A version is published once and never changed: one that was trained anew under the same name is refused, since replicas that
were started with the old one would no longer start.

What it has ends with its pod, and is then published again from here: what runs fetches it anew whenever a replica is replaced.
"""

import base64
import json
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from platforms.kubernetes.client import Cluster
from platforms.kubernetes.routes import release_name
from platforms.kubernetes.settings import KubernetesSettings
from platforms.kubernetes.tools import Tools
from platforms.ports import free_ports
from strategies.errors import CouldNotRun, StoreRefused, ToolFailed
from strategies.traffic import Slot
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
    """Publish every version of the local `store` that the cluster's does not have, or `only` that one and those that run already.

    Raises:
        StoreRefused: one is there already, or runs, with another model.
        ToolFailed: the store in the cluster cannot be reached.
    """
    here, running = _versions(store), _running(cluster, settings)
    with _reachable(tools, settings) as endpoint:
        environment = {**_credentials(cluster, settings), "AWS_ENDPOINT_URL": endpoint, "AWS_DEFAULT_REGION": REGION}
        listed = tools.run(*_program("list", "--store", URL), timeout=SECONDS, environment=environment)
        there = {found["version"]: found["digest"] for found in _LISTED.finditer(listed)}
        for version in missing(here, there, running, only, tools.say):
            tools.say(f"publishing {version} to the model store in the cluster")
            try:
                tools.run(*_program("publish", version, "--from", str(store), "--store", URL), timeout=SECONDS, environment=environment)
            except ToolFailed as error:
                raise StoreRefused(error.stderr.strip() or str(error)) from error


def missing(
    here: Mapping[str, str], there: Mapping[str, str], running: Mapping[str, str], only: str, say: Callable[[str], None]
) -> list[str]:
    """The versions to publish of those that are `here`, given the beginnings of the digests that are `there`.

    `running` are the digests that replicas insist on. `only` is a version that is to be there by all means, empty for all of them.

    Raises:
        StoreRefused: such a version runs with another model, under whose name no other may be published.
    """
    wanted = []
    for version, digest in here.items():
        asked_for = only in {"", version}
        if digest.startswith(there.get(version, "-")) or not (asked_for or (version in running and version not in there)):
            continue
        # one that is there with another model is refused by the store itself, in its own words
        if version in there or running.get(version, digest) == digest:
            wanted.append(version)
            continue
        other = f"the {version} on this machine is another model than the one that runs in the cluster"
        if only == version:
            raise StoreRefused(f"{other}; train it under a name of its own")
        say(f"{other}, whose replicas cannot start again once they end, as the store has lost it; publish it from where it was trained")
    return wanted


def values() -> dict[str, dict[str, str]]:
    """What a slot's release must know of it."""
    return {"store": {"url": URL, "secret": SECRET, "endpoint": f"http://{SERVICE}:{PORT}", "region": REGION}}


def _running(cluster: Cluster, settings: KubernetesSettings) -> dict[str, str]:
    """The digest of each version that a slot's pods fetch when they start."""
    found: dict[str, str] = {}
    for slot in Slot:
        deployment = cluster.get(f"/apis/apps/v1/namespaces/{settings.namespace}/deployments/{release_name(slot)}")
        pod = deployment["spec"]["template"]["spec"] if deployment else {}
        for container in pod.get("initContainers", []):
            given = dict(word.removeprefix("--").split("=", 1) for word in container.get("args", []) if "=" in word)
            if "version" in given and "sha256" in given:
                found[given["version"]] = given["sha256"]
    return found


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
