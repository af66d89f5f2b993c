"""Why pods are not ready, asked of the cluster: `platforms.kubernetes.pods` reads their status, this adds events and last words."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from platforms.kubernetes import pods
from platforms.kubernetes.client import Cluster
from strategies.errors import ToolFailed

Json = dict[str, Any]


def of_pod(cluster: Cluster, namespace: str, pod: Json) -> str:
    """Why one pod is not ready: its status, the newest warning about it, and the last line that its container said.

    Raises:
        ToolFailed: the API server does not tell.
    """
    about = f"involvedObject.uid={pod['metadata']['uid']},type=Warning"
    warnings = cluster.items(f"/api/v1/namespaces/{namespace}/events", fieldSelector=about)
    return f"{pods.obstacle(pod, warnings)}{last_words(cluster, namespace, pod, pods.failing_container(pod))}"


def last_words(cluster: Cluster, namespace: str, pod: Json, container: str) -> str:
    """The last line of a container's log, the ended one's before the one that was started anew; empty without a container.

    The kubelet keeps no log of those that ended before, but the end of it in the pod's status.

    Raises:
        ToolFailed: the API server does not tell.
    """
    if not container:
        return ""
    path = f"/api/v1/namespaces/{namespace}/pods/{pod['metadata']['name']}/log"
    log = pods.last_message(pod, container)
    for previous in ("true", "false"):
        log = log or cluster.text(path, container=container, previous=previous, tailLines="5").strip()
    return f"; its last words: {log.splitlines()[-1]}" if log else "; it said nothing"


def of_parts(cluster: Cluster, namespace: str, selector: str = "") -> str:
    """Why the first of some Deployments' pods is not ready, or may not be made; empty if all of them are.

    Raises:
        ToolFailed: the API server does not tell.
    """
    chosen = {"labelSelector": selector} if selector else {}
    for deployment in cluster.items(f"/apis/apps/v1/namespaces/{namespace}/deployments", **chosen):
        if reason := pods.refused(deployment):
            return f"{deployment['metadata']['name']} may not run: {reason}"
    for pod in cluster.items(f"/api/v1/namespaces/{namespace}/pods", **chosen):
        if not pods.finished(pod) and not pods.leaving(pod) and not pods.ready(pod):
            return f"the pod {pod['metadata']['name']} is not ready: {of_pod(cluster, namespace, pod)}"
    return ""


@contextmanager
def explaining(cluster: Cluster, namespace: str, what: str, selector: str = "") -> Iterator[None]:
    """Have an installation that fails say which pod keeps it, and why: its tool knows only that it has waited long enough.

    Raises:
        ToolFailed: the installation's own, with the reason where there is one.
    """
    try:
        yield
    except ToolFailed as error:
        why = ""
        # what the tool said is worth more than that nothing more can be found out
        with suppress(ToolFailed):
            why = of_parts(cluster, namespace, selector)
        if not why:
            raise
        raise ToolFailed(f"{what} cannot run, as {why}; repeat `labctl up` once that is mended", error.command, error.stderr) from error
