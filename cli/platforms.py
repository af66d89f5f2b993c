"""Which platform a command is about: `--platform`, else LAB_PLATFORM, else `labctl.toml`, else this machine."""

import os
from collections.abc import Mapping
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
    """A platform.

    Attributes:
        name: local, kind or kubernetes.
        kubernetes: the lab on the cluster; None for local.
        told: somebody said which platform is meant; local is also what is meant where nobody did.
        grafana: whether Grafana is wanted beside the lab.
    """

    name: str
    kubernetes: KubernetesSettings | None = None
    told: bool = True
    grafana: bool = True


NONE: Mapping[str, str] = {}
KIND_ONLY = ("node_image", "istio_overlay")
"""Flags about what is made with a kind cluster."""


def choose(platform: str = "", context: str = "", namespace: str = "", *, more: Mapping[str, str] = NONE) -> Chosen:
    """What the flags, the environment and `labctl.toml` choose; `more` are a command's own flags by the names of settings.

    Raises:
        UsageError: there is no such platform, or its settings make no sense.
    """
    sources = Sources({"platform": platform, "context": context, "namespace": namespace, **more}, os.environ, Path(FILE))
    name = sources.text("platform", LOCAL)
    for_kind = [f"--{flag.replace('_', '-')}" for flag in KIND_ONLY if more.get(flag)]
    if for_kind and name != KIND:
        raise UsageError(f"{' and '.join(for_kind)} can be told of a kind cluster only; add --platform kind")
    match name:
        case "local":
            if context or namespace:
                raise UsageError("--context and --namespace are for a cluster; add --platform kind or --platform kubernetes")
            return Chosen(name=LOCAL, told=bool(sources.text("platform")), grafana=sources.switch("grafana", default=True))
        case "kind":
            return Chosen(name=KIND, kubernetes=kind_settings(sources))
        case "kubernetes":
            return Chosen(name=KUBERNETES, kubernetes=cluster_settings(sources))
        case other:
            raise UsageError(f"there is no platform {other!r}; choose local, kind or kubernetes")
