"""What the statuses of pods and of their Deployment say, in one sentence: why something is not ready, and whether waiting helps."""

from collections.abc import Iterable, Iterator
from typing import Any

Json = dict[str, Any]

HOPELESS = frozenset(
    {
        "CrashLoopBackOff",
        "CreateContainerConfigError",
        "CreateContainerError",
        "ErrImageNeverPull",
        "ImageInspectError",
        "ImagePullBackOff",
        "InvalidImageName",
    }
)
"""States that the kubelet enters after it tried more than once, or that no second try can change."""


def ready(pod: Json) -> bool:
    """Whether it passes its probes and is not on its way out."""
    return not leaving(pod) and _condition(pod, "Ready").get("status") == "True"


def leaving(pod: Json) -> bool:
    """Whether it was told to end."""
    return bool(pod["metadata"].get("deletionTimestamp"))


def finished(pod: Json) -> bool:
    """Whether it has ended for good and is only kept as a record, as an evicted one: a Deployment makes another and lets it lie.

    One that is being deleted is none: its containers end before it does, and until then it is waited for.
    """
    return pod.get("status", {}).get("phase") in {"Failed", "Succeeded"} and not leaving(pod)


def address(pod: Json, port: int) -> str:
    """The pod as the gateway and Prometheus name it; empty before it has an address."""
    host = pod.get("status", {}).get("podIP", "")
    return f"{host}:{port}" if host else ""


def crashed_container(pod: Json) -> str:
    """The container that ended at start and is not tried again at once; empty if there is none."""
    return next((status["name"] for status in _containers(pod) if _waiting(status).get("reason") == "CrashLoopBackOff"), "")


def failing_container(pod: Json) -> str:
    """A container whose log may tell why the pod is not ready: one that ended badly, else one that runs and is not ready."""
    statuses = list(_containers(pod))
    ended = (status["name"] for status in statuses if _ended(status).get("exitCode", 0) != 0)
    unready = (status["name"] for status in statuses if not status.get("ready") and "running" in status.get("state", {}))
    return next(ended, "") or next(unready, "")


def last_message(pod: Json, container: str) -> str:
    """What the kubelet has kept of the end of a container's log when it ended badly; empty if nothing."""
    return next((str(_ended(status).get("message", "")).strip() for status in _containers(pod) if status["name"] == container), "")


def hopeless(pod: Json) -> str:
    """Why waiting for this pod is in vain, in the kubelet's words; empty while it is not."""
    if leaving(pod):
        return ""
    for status in _containers(pod):
        waiting = _waiting(status)
        if waiting.get("reason") in HOPELESS:
            return f"{waiting['reason']}: {waiting.get('message', status['name'])}"
    return ""


def refused(deployment: Json) -> str:
    """Why the cluster lets no pod be made (a quota, an admission policy); empty if it does."""
    failure = _condition(deployment, "ReplicaFailure")
    return str(failure.get("message", "")) if failure.get("status") == "True" else ""


def obstacle(pod: Json, warnings: Iterable[Json]) -> str:
    """Why this pod is not ready: it has ended, no room, the newest warning about it, else what a container waits for or does not end."""
    if finished(pod):
        return _ended_with(pod)
    scheduled = _condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        return f"{scheduled.get('reason', 'Unschedulable')}: {scheduled.get('message', '')}"
    if reason := hopeless(pod):
        return reason
    for status in _containers(pod):
        # between two tries the newest warning says only that there will be another
        if _waiting(status).get("reason") == "ErrImagePull" and (why := _waiting(status).get("message")):
            return f"ErrImagePull: {why}"
    newest = sorted(warnings, key=_seen)[-1:]
    if newest:
        return f"{newest[0].get('reason', 'warning')}: {newest[0].get('message', '')}"
    for status in pod.get("status", {}).get("initContainerStatuses", []):
        # the others only say that they wait for it
        if "running" in status.get("state", {}):
            return f"{status['name']} has not ended"
    for status in _containers(pod):
        if reason := str(_waiting(status).get("reason", "")):
            return f"{status['name']} waits: {reason}"
    return "it says nothing of why"


def lost(found: Iterable[Json]) -> str:
    """How many of these pods have ended and why the newest has, to be added to a sentence; empty if none has."""
    ended = sorted(filter(finished, found), key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")))
    have = "have" if len(ended) > 1 else "has"
    return f"; {len(ended)} of its pods {have} ended before, the last with {_ended_with(ended[-1])}" if ended else ""


def _ended_with(pod: Json) -> str:
    """In the words of who ended it, such as the kubelet of a node that ran out of memory."""
    status = pod["status"]
    return ": ".join(str(status[key]).strip() for key in ("reason", "message") if status.get(key)) or f"phase {status['phase']}"


def _containers(pod: Json) -> Iterator[Json]:
    status = pod.get("status", {})
    yield from status.get("initContainerStatuses", [])
    yield from status.get("containerStatuses", [])


def _waiting(status: Json) -> Json:
    return dict(status.get("state", {}).get("waiting") or {})


def _ended(status: Json) -> Json:
    return dict(status.get("state", {}).get("terminated") or status.get("lastState", {}).get("terminated") or {})


def _condition(thing: Json, kind: str) -> Json:
    return next((condition for condition in thing.get("status", {}).get("conditions", []) if condition["type"] == kind), {})


def _seen(event: Json) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp") or "")
