"""What the pods of the slots went through while a rollout ran, as the cluster itself dates it.

The cluster dates by whole seconds, so of a moment two things are told: how many pods there may have been, and how many surely.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf
from typing import Any

from platforms.kubernetes import pods
from platforms.kubernetes.waiting import Watched
from tests.cluster.lab import ClusterLab
from tests.cluster.verbs import NAMESPACE
from tests.waiting import wait_for

Json = dict[str, Any]

EVERY = 0.05
SECOND = 1.0


@dataclass
class Life:
    """One pod, in seconds since the epoch, each the beginning of the second that the cluster names; `inf` for never."""

    version: str
    created: float
    ready: float = inf
    told_to_end: float = inf


class Lives:
    """Every pod that was seen, by its uid."""

    def __init__(self) -> None:
        self.of: dict[str, Life] = {}

    def see(self, pod: Json) -> None:
        """Take down what a pod's object says by now."""
        metadata = pod["metadata"]
        life = self.of.setdefault(
            metadata["uid"], Life(version=metadata["labels"]["lab/version"], created=seconds(metadata["creationTimestamp"]))
        )
        if pods.ready(pod) and life.ready == inf:
            (life.ready,) = (seconds(one["lastTransitionTime"]) for one in pod["status"]["conditions"] if one["type"] == "Ready")
        if pods.leaving(pod) and life.told_to_end == inf:
            # the object says until when it has time
            life.told_to_end = seconds(metadata["deletionTimestamp"]) - metadata["deletionGracePeriodSeconds"]

    def serving_at(self, moment: float, version: str) -> int:
        """How many pods of a version may have been ready at this moment, and not told to end."""
        return sum(life.ready <= moment < life.told_to_end + SECOND for life in self.of.values() if life.version == version)

    def surely_at(self, moment: float, version: str) -> int:
        """How many pods of a version there were at this moment at the least, ready or not."""
        return sum(life.created + SECOND <= moment < life.told_to_end for life in self.of.values() if life.version == version)


def seconds(time: str) -> float:
    """Since the epoch, of a time as Kubernetes and a run's events write it."""
    return datetime.fromisoformat(time).astimezone(UTC).timestamp()


@contextmanager
def lives(lab: ClusterLab) -> Iterator[Lives]:
    """What the slots' pods go through while the block lasts."""
    found, over = Lives(), threading.Event()
    with lab.verbs() as verbs, Watched(verbs.cluster, f"/api/v1/namespaces/{NAMESPACE}/pods", labelSelector="lab/slot") as watched:

        def look() -> None:
            while not over.wait(EVERY):
                for pod in watched.objects():
                    found.see(pod)

        wait_for(lambda: watched.known, "the pods are not listed")
        looking = threading.Thread(target=look)
        looking.start()
        try:
            yield found
        finally:
            over.set()
            looking.join()
