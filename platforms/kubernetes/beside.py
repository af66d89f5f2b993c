"""Whether a kind cluster runs on this machine, told at once and without docker: from the kubeconfig, which kind keeps up to date."""

import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import yaml

PATIENCE = 0.5
"""Seconds to connect. It is on loopback, where whoever listens answers at once."""


def answers(context: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether somebody listens where the kubeconfig's `context` leads; False too where that cannot be told."""
    files = environment.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
    return any(_listens(server) for file in files.split(os.pathsep) if file for server in _servers(Path(file), context))


def _servers(file: Path, context: str) -> list[str]:
    with suppress(OSError, ValueError, yaml.YAMLError, AttributeError, KeyError, TypeError):
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
        clusters = [one["context"]["cluster"] for one in found["contexts"] if one["name"] == context]
        return [str(one["cluster"]["server"]) for one in found["clusters"] if one["name"] in clusters]
    return []


def _listens(server: str) -> bool:
    with suppress(OSError, ValueError), socket.create_connection((urlsplit(server).hostname, urlsplit(server).port or 443), PATIENCE):
        return True
    return False
