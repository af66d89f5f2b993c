"""`labctl up` on a cluster: everything but the routes, in order. Each step looks first and leaves alone what is true already.

So a second call takes seconds, and one that was cut off anywhere is completed by the next.
"""

from pathlib import Path
from typing import Any

import msgspec

from platforms.kubernetes import image, istio, kind, lab_release, model_store, obstacles, prediction_log
from platforms.kubernetes.client import FIELD_MANAGER, ApiRefused, Cluster
from platforms.kubernetes.doctor import require_tools
from platforms.kubernetes.settings import PROJECT, KubernetesSettings
from platforms.kubernetes.tools import Tools, require_project
from strategies.errors import CouldNotRun, ToolFailed, UsageError

PATIENCE = 45.0
"""Seconds that a question to the cluster is repeated."""
MADE_BY = {"app.kubernetes.io/managed-by": FIELD_MANAGER, "app.kubernetes.io/part-of": "deployment-strategy-lab"}
"""Labels of what is ours beside the Helm releases."""

Json = dict[str, Any]


class Installed(msgspec.Struct, frozen=True, kw_only=True):
    """A lab that is ready for its first version.

    Attributes:
        settings: with the ports on which the cluster is really reached.
        values: what the slots' releases are to be given: image, store, prediction log and predictions.
    """

    settings: KubernetesSettings
    values: Json


def install(tools: Tools, settings: KubernetesSettings, *, store: Path) -> Installed:
    """Have everything that a lab needs; `store` is this machine's model store.

    Raises:
        UsageError: a setting is missing without which a cluster that is not ours cannot be used.
        CouldNotRun: a tool or a file is missing, or the cluster lacks what it must bring.
        ToolFailed: a tool failed.
    """
    require_project(PROJECT)
    require_tools(kind=bool(settings.cluster))
    return _on_kind(tools, settings, store) if settings.cluster else _on_a_cluster(tools, settings, store)


def _on_kind(tools: Tools, settings: KubernetesSettings, store: Path) -> Installed:
    files = istio.files(settings)
    # the image first: it takes longest, fails most often, and needs no cluster
    name = settings.image or image.build(tools, PROJECT, settings.base_image)
    settings = msgspec.structs.replace(settings, ports=kind.ensure(tools, settings))
    cluster = Cluster(settings.context, clock=tools.clock, patience=PATIENCE)
    _load(tools, settings, name, files)
    with obstacles.explaining(cluster, istio.NAMESPACE, "Istio"):
        istio.ensure(tools, cluster, settings, files)
    _rest(tools, cluster, settings, store)
    return Installed(settings=settings, values=_values(name))


def _on_a_cluster(tools: Tools, settings: KubernetesSettings, store: Path) -> Installed:
    needed = {"LAB_IMAGE": settings.image, "LAB_GATEWAY_URL": settings.gateway_url, "LAB_PROMETHEUS_URL": settings.prometheus_url}
    if missing := [variable for variable, value in needed.items() if not value]:
        raise UsageError(
            f"{settings.context} is no cluster of ours, so set {', '.join(missing)}: the model API's image where its nodes can pull it "
            f"(built with app/Dockerfile), and the addresses of Istio's gateway and of the lab's Prometheus as seen from here"
        )
    cluster = Cluster(settings.context, clock=tools.clock, patience=PATIENCE)
    istio.require(cluster, settings)
    _rest(tools, cluster, settings, store)
    return Installed(settings=settings, values=_values(settings.image))


def _load(tools: Tools, settings: KubernetesSettings, name: str, files: tuple[str, ...]) -> None:
    """Put into the node what the local engine has; the node pulls the rest itself."""
    wanted = (name, *lab_release.images(tools, settings), *istio.images(tools, settings, files))
    here = tuple(one for one in kind.missing_images(tools, settings.cluster, wanted) if image.present(tools, one))
    for one in here:
        try:
            kind.load(tools, settings.cluster, (one,))
        except ToolFailed as error:
            if one == name and not settings.image:
                raise
            tools.say(f"{one} cannot be loaded, so the node is to pull it: {error.stderr.strip()}")


def _rest(tools: Tools, cluster: Cluster, settings: KubernetesSettings, store: Path) -> None:
    own = _namespace(cluster, settings)
    outside = kind.networks(tools, settings.cluster) if settings.cluster else ()
    with obstacles.explaining(cluster, settings.namespace, "the lab's own parts", f"app.kubernetes.io/instance={lab_release.NAME}"):
        lab_release.ensure(tools, settings, own=own, outside=outside)
    _gateway(tools, settings)
    model_store.fill(tools, cluster, settings, store)


def _namespace(cluster: Cluster, settings: KubernetesSettings) -> bool:
    """Have the namespace; whether it is ours. One that is there already is somebody else's or made by us before: neither is changed."""
    path = f"/api/v1/namespaces/{settings.namespace}"
    if found := cluster.get(path):
        return bool(MADE_BY.items() <= found["metadata"].get("labels", {}).items())
    labels = {**MADE_BY, "pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/warn": "restricted"}
    try:
        cluster.apply(path, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": settings.namespace, "labels": labels}})
    except ApiRefused as error:
        raise CouldNotRun(f"namespace {settings.namespace} cannot be made ({error.said}); have it made for you, or name another") from error
    return True


def _gateway(tools: Tools, settings: KubernetesSettings) -> None:
    text = (PROJECT / "manifests" / "gateway.yaml").read_text(encoding="utf-8")
    manifest = text.replace("\n  namespace: lab\n", f"\n  namespace: {settings.namespace}\n")
    tools.run(
        *("kubectl", "--context", settings.context, "--namespace", settings.namespace, "apply", "--server-side"),
        *("--field-manager", FIELD_MANAGER, "--force-conflicts", "--filename", "-"),
        given=manifest,
        timeout=60.0,
    )


def _values(name: str) -> Json:
    repository, _, tag = name.rpartition(":")
    if not repository or "/" in tag:
        raise CouldNotRun(f"LAB_IMAGE is {name!r}; give repository:tag, with a tag that tells what it is")
    return {
        "image": {"repository": repository, "tag": tag, "pullPolicy": "IfNotPresent"},
        **model_store.values(),
        **prediction_log.values(),
    }
