"""Which platform a command is about: `--platform`, else LAB_PLATFORM, else `labctl.toml`, else this machine."""

import os
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from platforms.kubernetes.settings import FILE, KubernetesSettings, Sources, cluster_settings, kind_settings
from strategies.errors import UsageError

LOCAL, KIND, KUBERNETES = "local", "kind", "kubernetes"

PlatformOption = Annotated[
    str,
    typer.Option("--platform", metavar="NAME", help="Where: local, kind or kubernetes; else LAB_PLATFORM, else local.", show_default=False),
]
ContextOption = Annotated[
    str, typer.Option("--context", metavar="NAME", help="With --platform kubernetes: the kubeconfig's context.", show_default=False)
]
NamespaceOption = Annotated[
    str, typer.Option("--namespace", metavar="NAME", help="On a cluster: the lab's namespace (lab).", show_default=False)
]


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """A platform: `name` is local, kind or kubernetes; `kubernetes` is None for local."""

    name: str
    kubernetes: KubernetesSettings | None = None


def choose(platform: str = "", context: str = "", namespace: str = "", *, port: int = 0) -> Chosen:
    """What the flags, the environment and `labctl.toml` choose; `port` is the gateway's on this machine, 0 if it was not given.

    Raises:
        UsageError: there is no such platform, or its settings make no sense.
    """
    flags = {"platform": platform, "context": context, "namespace": namespace, "gateway_port": str(port or "")}
    sources = Sources(flags, os.environ, Path(FILE))
    match sources.text("platform", LOCAL):
        case "local":
            if context or namespace:
                raise UsageError("--context and --namespace are for a cluster; add --platform kind or --platform kubernetes")
            return Chosen(name=LOCAL)
        case "kind":
            return Chosen(name=KIND, kubernetes=kind_settings(sources))
        case "kubernetes":
            return Chosen(name=KUBERNETES, kubernetes=cluster_settings(sources))
        case other:
            raise UsageError(f"there is no platform {other!r}; choose local, kind or kubernetes")
