"""The Helm release `lab`: Prometheus, Grafana, the model store and the database of the prediction log in the lab's namespace."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from platforms.kubernetes.settings import PROJECT, KubernetesSettings
from platforms.kubernetes.tools import Tools
from strategies.errors import ToolFailed

NAME = "lab"
CHART = PROJECT / "charts" / "lab"
READY_SECONDS = 300
"""Images may have to be pulled."""

Json = dict[str, Any]


def values(settings: KubernetesSettings, *, own: bool, outside: Sequence[str] = ()) -> Json:
    """The values of the release. Node ports are fixed only where kind publishes them.

    `own` says that nobody else uses the namespace; `outside` are the networks that the node ports are for.
    """
    given: Json = {"grafana": {"enabled": settings.grafana}, "networkPolicy": {"defaultDeny": own, "outside": list(outside)}}
    if not settings.cluster:
        for part in ("prometheus", "store", "database", "grafana"):
            given.setdefault(part, {})["nodePort"] = None
    return given


def images(tools: Tools, settings: KubernetesSettings) -> tuple[str, ...]:
    """The images that the release asks the node for."""
    rendered = tools.run("helm", "template", NAME, str(CHART), "--values", "-", given=json.dumps(values(settings, own=True)), timeout=60.0)
    found = (line.partition("image:")[2].strip() for line in rendered.splitlines() if line.strip().startswith("image:"))
    return tuple(sorted(set(found)))


def ensure(tools: Tools, settings: KubernetesSettings, *, own: bool, outside: Sequence[str]) -> None:
    """Have it installed and ready; nothing is touched if it is, as no revision is to be made for nothing.

    For `own` and `outside` see `values`.

    Raises:
        ToolFailed: helm failed, or a part was not ready in time.
    """
    wanted = f"content {_digest(given := values(settings, own=own, outside=outside))}"
    found = _status(tools, settings)
    if found.get("status") == "deployed" and found.get("description") == wanted:
        return
    _settle(tools, settings, found)
    tools.say("installing the lab's own parts: Prometheus, the model store, a database" + (", Grafana" if settings.grafana else ""))
    tools.run(
        *("helm", "upgrade", NAME, str(CHART), "--install", "--values", "-", "--description", wanted),
        *("--wait", "--timeout", f"{READY_SECONDS}s", *where(settings)),
        given=json.dumps(given),
        timeout=READY_SECONDS + 60.0,
    )


def uninstall(tools: Tools, settings: KubernetesSettings, name: str = NAME) -> None:
    """Remove a release, if it is there, and wait until all of it is gone."""
    tools.run("helm", "uninstall", name, "--ignore-not-found", "--wait", "--timeout", "180s", *where(settings), timeout=240.0)


def where(settings: KubernetesSettings) -> tuple[str, ...]:
    """Helm's options for the lab's cluster and namespace."""
    return ("--kube-context", settings.context, "--namespace", settings.namespace)


def _settle(tools: Tools, settings: KubernetesSettings, found: Json) -> None:
    """Remove what a helm that was killed left half-done, which helm itself refuses to touch. Nothing in it cannot be made anew."""
    if str(found.get("status", "")).startswith(("pending", "uninstalling")):
        tools.say("the lab's release was left half-done; it is removed first")
        uninstall(tools, settings)


def _status(tools: Tools, settings: KubernetesSettings) -> Json:
    try:
        return dict(json.loads(tools.run("helm", "status", NAME, "--output", "json", *where(settings), timeout=60.0))["info"])
    except ToolFailed as error:
        if "not found" in error.stderr:
            return {}
        raise


def _digest(given: Json) -> str:
    digest = hashlib.sha256(json.dumps(given, sort_keys=True).encode())
    for path in _files(CHART):
        digest.update(f"\0{path.relative_to(CHART).as_posix()}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())
