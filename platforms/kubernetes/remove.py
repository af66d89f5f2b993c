"""`labctl down` on a cluster: nothing of ours stays, nothing of anybody else's is touched."""

from platforms.kubernetes import image, kind, lab_release, routes
from platforms.kubernetes.client import FIELD_MANAGER, Cluster
from platforms.kubernetes.install import MADE_BY, PATIENCE
from platforms.kubernetes.settings import KubernetesSettings
from platforms.kubernetes.tools import Tools
from strategies.traffic import Slot

OURS = (
    ("networking.istio.io/v1", "virtualservices"),
    ("networking.istio.io/v1", "gateways"),
    ("coordination.k8s.io/v1", "leases"),
    ("v1", "configmaps"),
)
"""Kinds of what labctl itself writes into the namespace."""


def remove(tools: Tools, settings: KubernetesSettings) -> bool:
    """Remove the lab; False if there was none.

    Raises:
        CouldNotRun: a kind cluster of this name is not ours.
        ToolFailed: a tool failed, so that something may be left; repeat it.
    """
    return _kind(tools, settings) if settings.cluster else _namespace(tools, settings)


def _kind(tools: Tools, settings: KubernetesSettings) -> bool:
    there = kind.published(tools, settings.cluster) is not None
    if there:
        tools.say(f"deleting the kind cluster {settings.cluster}")
        kind.delete(tools, settings.cluster)
    if not kind.others(tools, settings.cluster):
        image.remove_all(tools)
    return there


def _namespace(tools: Tools, settings: KubernetesSettings) -> bool:
    cluster = Cluster(settings.context, clock=tools.clock, patience=PATIENCE)
    path = f"/api/v1/namespaces/{settings.namespace}"
    found = cluster.get(path)
    if found is None:
        return False
    # users first: no route may lead to what is going
    for version, plural in OURS:
        root = "/api/v1" if version == "v1" else f"/apis/{version}"
        collection = f"{root}/namespaces/{settings.namespace}/{plural}"
        for name in (one["metadata"]["name"] for one in cluster.items(collection) if _is_ours(one)):
            tools.say(f"removing {plural} {name}")
            cluster.delete(f"{collection}/{name}")
    for release in (*(routes.release_name(slot) for slot in Slot), lab_release.NAME):
        tools.say(f"removing the release {release}")
        lab_release.uninstall(tools, settings, release)
    if MADE_BY.items() <= found["metadata"].get("labels", {}).items():
        tools.say(f"removing the namespace {settings.namespace}")
        where = ("--context", settings.context)
        tools.run("kubectl", *where, "delete", "namespace", settings.namespace, "--timeout", "180s", timeout=240.0)
    return True


def _is_ours(thing: dict[str, object]) -> bool:
    """Whether labctl wrote it: its field manager is in the server's own record."""
    metadata = thing["metadata"]
    fields = metadata.get("managedFields", []) if isinstance(metadata, dict) else []
    return any(one.get("manager") == FIELD_MANAGER for one in fields)
