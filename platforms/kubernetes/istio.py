"""Istio on the kind cluster: istiod and one ingress gateway, as `manifests/istio-operator.yaml` and `request-ids.yaml` say.

On a cluster that is somebody else's, Istio is theirs as well: it is looked for and never installed.
"""

import hashlib
import re
from pathlib import Path

from platforms.kubernetes.client import FIELD_MANAGER, Cluster
from platforms.kubernetes.settings import PROJECT, KubernetesSettings
from platforms.kubernetes.tools import Tools
from strategies.errors import CouldNotRun

OPERATOR = PROJECT / "manifests" / "istio-operator.yaml"
REQUEST_IDS = PROJECT / "manifests" / "request-ids.yaml"
NAMESPACE = "istio-system"
PARTS = ("istiod", "istio-ingressgateway")
INSTALL_SECONDS = 600.0
_MARK = "lab/istio"
"""An annotation of the namespace: what was installed, once all of it was."""


def ensure(tools: Tools, cluster: Cluster, settings: KubernetesSettings, files: tuple[str, ...]) -> None:
    """Have Istio installed as `files` say, and ready.

    Raises:
        ToolFailed: istioctl failed.
    """
    wanted = _digest(tools, files)
    if installed(cluster) == wanted and ready(cluster):
        return
    tools.say("installing Istio")
    tools.run(*_istioctl(settings), "install", "--skip-confirmation", *_given(files), timeout=INSTALL_SECONDS)
    tools.run(
        *("kubectl", "--context", settings.context, "apply", "--server-side", "--field-manager", FIELD_MANAGER),
        *("--force-conflicts", "--filename", str(REQUEST_IDS)),
        timeout=60.0,
    )
    tools.run(
        *("kubectl", "--context", settings.context, "annotate", "namespace", NAMESPACE, "--overwrite", f"{_MARK}={wanted}"), timeout=60.0
    )


def files(settings: KubernetesSettings) -> tuple[str, ...]:
    """The IstioOperator files, ours first.

    Raises:
        CouldNotRun: the overlay does not exist.
    """
    overlay = settings.istio_overlay
    if overlay and not Path(overlay).is_file():
        raise CouldNotRun(f"--istio-overlay or LAB_ISTIO_OVERLAY names {overlay}, which is no file; correct it, or leave it out")
    return (str(OPERATOR), *((overlay,) if overlay else ()))


def images(tools: Tools, settings: KubernetesSettings, files: tuple[str, ...]) -> tuple[str, ...]:
    """The images that an installation would ask the node for."""
    rendered = tools.run(*_istioctl(settings), "manifest", "generate", *_given(files), timeout=120.0)
    found = re.findall(r'^\s*(?:- )?image: "?([^\s"]+)"?$', rendered, re.MULTILINE)
    # "auto" stands for the one that is injected
    return tuple(sorted({name for name in found if name != "auto"}))


def installed(cluster: Cluster) -> str:
    """The digest of what was installed; empty if nothing was, or not to its end."""
    found = cluster.get(f"/api/v1/namespaces/{NAMESPACE}")
    return str(found["metadata"].get("annotations", {}).get(_MARK, "")) if found else ""


def ready(cluster: Cluster) -> bool:
    """Whether each part has a replica that is available."""
    deployments = cluster.items(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments")
    available = {one["metadata"]["name"] for one in deployments if one.get("status", {}).get("availableReplicas", 0) > 0}
    return set(PARTS) <= available


def require(cluster: Cluster, settings: KubernetesSettings) -> None:
    """Refuse a cluster of somebody else's that has no Istio.

    Raises:
        CouldNotRun: the cluster does not know Istio's routes.
    """
    if cluster.get("/apis/networking.istio.io/v1") is None:
        raise CouldNotRun(
            f"the cluster of {settings.context} has no Istio, which the lab needs for its routes; install it with an ingress gateway "
            f"(`istioctl install -f {OPERATOR.name}` from manifests/ does), and repeat"
        )


def _digest(tools: Tools, files: tuple[str, ...]) -> str:
    version = tools.run("istioctl", "version", "--remote=false", "--short", timeout=60.0)
    content = b"\0".join(path.read_bytes() for path in (*map(Path, files), REQUEST_IDS))
    return hashlib.sha256(version.encode() + content).hexdigest()[:16]


def _istioctl(settings: KubernetesSettings) -> tuple[str, ...]:
    return ("istioctl", "--context", settings.context)


def _given(files: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(part for file in files for part in ("--filename", file))
