"""What persons ask of a rollout on a cluster, left on its Lease by any machine that reaches the cluster.

The words are a list in an annotation, which only grows while one holder has the lease and begins anew with the next: so a
word is for the rollout that it was meant for and for no other. It is added by replacing the version of the Lease that was
read (compare-and-set), so two that are left at once are both kept; each has a name of its own, so one whose answer was lost
on the way is not left twice. The rollout counts what it has taken.
"""

import json
import secrets
from typing import Any

from platforms.kubernetes.client import ApiRefused, Cluster
from platforms.kubernetes.lease import Held, Lease, generation_of, holder_of
from strategies.errors import ToolFailed, UsageError
from strategies.steering import NOBODY, Command, known
from strategies.waiting import Clock

Json = dict[str, Any]

ANNOTATION = "lab/words"
MOST = 1000
"""Words for one rollout; an annotation has an end."""


class LeasedWords:
    """Implements `strategies.steering.Control` for the holder `held` of the lease in `namespace`."""

    def __init__(self, cluster: Cluster, namespace: str, held: Held) -> None:
        self._cluster = cluster.impatient()
        self._path = Lease.path(namespace)
        self._held = held
        self._taken = 0

    def take(self) -> tuple[Command, ...]:
        """See `strategies.steering.Control`. While the API server is away there is nothing new; words wait.

        Raises:
            TakenOver: somebody has taken the rollout over; the words there are for them.
        """
        try:
            lease = self._cluster.get(self._path)
        except ToolFailed:
            return ()
        if generation_of(lease) != self._held.generation:
            self._held.taken(str(holder_of(lease) or "somebody"))
            self._held.check()
        words = _read(lease)[self._taken :]
        self._taken += len(words)
        return known(word for _, word in words)


def leave(cluster: Cluster, namespace: str, command: Command, *, clock: Clock) -> None:
    """Leave a word for whoever holds the lease in `namespace`.

    Raises:
        UsageError: nobody does, or it ended meanwhile.
        ToolFailed: the cluster does not answer.
    """
    path, name, wanted = Lease.path(namespace), secrets.token_hex(8), 0
    while True:
        lease = cluster.get(path)
        holder = holder_of(lease)
        if lease is None or holder is None or not holder.alive(clock.now()):
            raise UsageError(NOBODY)
        words = _read(lease)
        if any(one == name for one, _ in words):
            return
        # the one that was meant is the one that was there at first
        if holder.generation != (wanted := wanted or holder.generation):
            raise UsageError(NOBODY)
        if len(words) >= MOST:
            raise UsageError(f"{MOST} words were left for {holder} already, and more are not kept; `labctl abort` ends it")
        annotations = lease["metadata"].setdefault("annotations", {})
        annotations[ANNOTATION] = json.dumps([*words, (name, command.value)])
        try:
            cluster.replace(path, lease)
        except ApiRefused as error:
            if error.status != 409:
                raise
        else:
            return


def _read(lease: Json | None) -> list[tuple[str, str]]:
    """The names and words on a Lease, oldest first; none where somebody else has written there."""
    try:
        found = json.loads(((lease or {})["metadata"].get("annotations") or {}).get(ANNOTATION, "[]"))
        return [(str(name), str(word)) for name, word in found]
    except (KeyError, TypeError, ValueError):
        return []
