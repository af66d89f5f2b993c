"""One rollout at a time on a cluster: the Lease `labctl`, renewed in the background, with a number that only grows.

A lock that lives elsewhere can be lost without its holder noticing: a machine sleeps, a network parts, somebody takes the
rollout over. So a holder stops writing before its lease can have run out (40 of 60 s without a renewal), and each write of
routes carries the number of its run, which is refused once a newer one has written.

Who died is told by the machine where it ran at once, as its process is gone; any other machine waits for the lease to run out.
"""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import psutil

from platforms.kubernetes.client import ApiRefused, Cluster
from strategies.errors import LabError, LockHeld, TakenOver, ToolFailed
from strategies.waiting import Clock

Json = dict[str, Any]

NAME = "labctl"
LEASE_SECONDS = 60
STOP_AFTER = 40.0
"""Seconds without a renewal after which nothing is written any more."""
RENEW_EVERY = 10.0
_DOING = "lab/doing"
_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """Who changes the lab.

    Attributes:
        identity: "machine/pid/start time of the process".
        doing: what was typed.
        generation: the number of this holding.
        until: when the lease runs out, by its holder's clock.
    """

    identity: str
    doing: str
    generation: int
    until: datetime

    @property
    def here(self) -> bool:
        """Whether it runs on this machine."""
        return self.identity.split("/")[0] == socket.gethostname()

    @property
    def pid(self) -> int:
        """Its process, on its machine."""
        return int(self.identity.split("/")[1])

    def alive(self, now: datetime) -> bool:
        """Whether it may still write."""
        if self.here:
            with suppress(psutil.Error, ValueError, IndexError):
                return f"{psutil.Process(self.pid).create_time():.2f}" == self.identity.split("/")[2]
            return False
        return now < self.until

    def __str__(self) -> str:
        machine, pid, *_ = [*self.identity.split("/"), "?"]
        return f"{self.doing} (pid {pid} on {machine})"


class Held:
    """The lease while it is ours. `check` before each write."""

    def __init__(self, generation: int, clock: Clock) -> None:
        self.generation = generation
        self._clock = clock
        self._renewed = clock.monotonic()
        self._taken_by = ""

    def check(self) -> None:
        """Return if it is ours still.

        Raises:
            TakenOver: somebody took it over.
            LockHeld: it could not be renewed for so long that somebody may have.
        """
        if self._taken_by:
            raise TakenOver(f"{self._taken_by} has taken this rollout over, so nothing more is written by this one")
        if self._clock.monotonic() - self._renewed > STOP_AFTER:
            raise LockHeld(f"the lease could not be renewed for {STOP_AFTER:g} s, so somebody else may have taken the rollout over")

    def renewed(self, at: float) -> None:
        """It was renewed by a request that began at `at` (monotonic)."""
        self._renewed = at

    def taken(self, holder: str) -> None:
        """Somebody else holds it."""
        self._taken_by = holder


class Lease:
    """The lease of the lab in `namespace`."""

    def __init__(self, cluster: Cluster, namespace: str, *, clock: Clock) -> None:
        self._cluster = cluster
        self._path = self.path(namespace)
        self._clock = clock

    @staticmethod
    def path(namespace: str) -> str:
        """Where the API server has it."""
        return f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{NAME}"

    def holder(self) -> Holder | None:
        """Who holds it and may still write; None if nobody does."""
        found = holder_of(self._cluster.get(self._path))
        return found if found and found.alive(self._clock.now()) else None

    @contextmanager
    def held(self, doing: str, *, take_over: bool = False) -> Iterator[Held]:
        """Hold it while the block lasts; with `take_over` also from one who lives.

        Raises:
            LockHeld: somebody else holds it; the sentence names them.
        """
        mine, generation = self._acquire(doing, take_over=take_over)
        held, ended = Held(generation, self._clock), threading.Event()
        renewing = threading.Thread(target=self._renew, args=(mine, held, ended), name="lease", daemon=True)
        renewing.start()
        try:
            yield held
        finally:
            ended.set()
            renewing.join()
            self._release(mine)

    def _acquire(self, doing: str, *, take_over: bool) -> tuple[str, int]:
        mine = identity()
        lease = self._cluster.get(self._path)
        holder = holder_of(lease)
        if holder and holder.alive(self._clock.now()) and not take_over:
            raise LockHeld(f"{holder} changes this lab now; wait until it ends, or end it with `labctl abort`")
        generation = generation_of(lease) + 1
        wanted = self._lease(mine, doing, generation)
        try:
            if lease is None:
                self._cluster.create(self._path.rpartition("/")[0], wanted)
            else:
                wanted["metadata"]["resourceVersion"] = lease["metadata"]["resourceVersion"]
                self._cluster.replace(self._path, wanted)
        except ApiRefused as error:
            if error.status != 409:
                raise
            winner = holder_of(self._cluster.get(self._path))
            if winner is None or winner.identity != mine:
                raise LockHeld(f"{winner or 'somebody'} was quicker to change this lab; wait until it ends") from error
        return mine, generation

    def _renew(self, mine: str, held: Held, ended: threading.Event) -> None:
        cluster, wait = self._cluster.impatient(), RENEW_EVERY
        while not ended.wait(wait):
            began, wait = self._clock.monotonic(), RENEW_EVERY
            try:
                lease = cluster.get(self._path)
                holder = holder_of(lease)
                if lease is None or holder is None or holder.identity != mine or holder.generation != held.generation:
                    held.taken(str(holder or "somebody who removed the lease"))
                    return
                lease["spec"]["renewTime"] = self._now()
                cluster.replace(self._path, lease)
                held.renewed(began)
            except ApiRefused as error:
                # somebody left a word in between
                wait = 0.0 if error.status == 409 else RENEW_EVERY
            except ToolFailed:
                # the next time decides, and before the lease runs out `check` does
                continue

    def _release(self, mine: str) -> None:
        """Leave it to the next; the number stays. One who cannot release it lets it run out."""
        cluster = self._cluster.impatient()
        with suppress(LabError):
            while True:
                lease = cluster.get(self._path)
                holder = holder_of(lease)
                if lease is None or holder is None or holder.identity != mine:
                    return
                lease["spec"]["holderIdentity"] = ""
                try:
                    cluster.replace(self._path, lease)
                except ApiRefused as error:
                    # somebody left a word in between
                    if error.status != 409:
                        raise

    def _lease(self, mine: str, doing: str, generation: int) -> Json:
        now = self._now()
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": NAME, "annotations": {_DOING: doing}},
            "spec": {
                "holderIdentity": mine,
                "leaseDurationSeconds": LEASE_SECONDS,
                "acquireTime": now,
                "renewTime": now,
                "leaseTransitions": generation,
            },
        }

    def _now(self) -> str:
        return self._clock.now().strftime(_TIME)


def identity() -> str:
    """This process, unlike any other that has been or will be on this machine."""
    return f"{socket.gethostname()}/{os.getpid()}/{psutil.Process().create_time():.2f}"


def generation_of(lease: Json | None) -> int:
    """The number of a Lease's last holding; 0 before the first."""
    return int((lease or {}).get("spec", {}).get("leaseTransitions") or 0)


def holder_of(lease: Json | None) -> Holder | None:
    """Who a Lease names, alive or not."""
    spec = (lease or {}).get("spec", {})
    if lease is None or not spec.get("holderIdentity"):
        return None
    renewed = datetime.strptime(spec["renewTime"], _TIME).replace(tzinfo=UTC)
    return Holder(
        identity=str(spec["holderIdentity"]),
        doing=str((lease["metadata"].get("annotations") or {}).get(_DOING, "somebody")),
        generation=generation_of(lease),
        until=renewed + timedelta(seconds=int(spec.get("leaseDurationSeconds") or LEASE_SECONDS)),
    )
