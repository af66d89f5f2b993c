"""Whether this machine has the tools for a lab on a cluster, in versions that will do. Tells only; changes nothing."""

import re
import subprocess

import msgspec

from platforms.check import Check, checked

SECONDS = 20.0


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """A program that the lab calls.

    Attributes:
        name: the program.
        ask: the arguments that make it tell its version.
        oldest: the oldest version that will do.
        get: how to get it.
        kind_only: whether only a kind cluster needs it.
        silent: what it means that it runs and does not answer; empty if that is nothing special.
    """

    name: str
    ask: tuple[str, ...]
    oldest: tuple[int, int]
    get: str
    kind_only: bool = False
    silent: str = ""


TOOLS = (
    Tool(
        name="docker",
        ask=("version", "--format", "{{.Server.Version}}"),
        oldest=(24, 0),
        get="install Docker Engine (https://docs.docker.com/engine/install/; Debian, Ubuntu: `sudo apt install docker.io docker-buildx`)",
        kind_only=True,
        silent="start its engine (`sudo systemctl start docker`), and join the group docker (`sudo usermod -aG docker $USER`)",
    ),
    Tool(
        name="kind",
        ask=("version",),
        oldest=(0, 24),
        get="install it from https://kind.sigs.k8s.io/docs/user/quick-start/#installation (macOS: `brew install kind`)",
        kind_only=True,
    ),
    Tool(
        name="kubectl",
        ask=("version", "--client"),
        oldest=(1, 30),
        get="install it from https://kubernetes.io/docs/tasks/tools/ (macOS: `brew install kubectl`)",
    ),
    Tool(
        name="helm",
        ask=("version", "--short"),
        oldest=(3, 14),
        get="install version 3 or 4 from https://helm.sh/docs/intro/install/ (macOS: `brew install helm`)",
    ),
    Tool(
        name="istioctl",
        ask=("version", "--remote=false", "--short"),
        oldest=(1, 26),
        get="install it from https://istio.io/latest/docs/setup/additional-setup/download-istio-release/ (macOS: `brew install istioctl`)",
        kind_only=True,
    ),
)


def checks(*, kind: bool) -> tuple[Check, ...]:
    """All tools, looked at now; with `kind` also those that only a cluster of our own needs."""
    return tuple(check(tool) for tool in TOOLS if kind or not tool.kind_only)


def check(tool: Tool) -> Check:
    """One tool: it runs, and its version is new enough."""
    try:
        run = subprocess.run((tool.name, *tool.ask), capture_output=True, text=True, timeout=SECONDS, check=False)
    except OSError:
        return checked(tool.name, ok=False, found="not on PATH", advice=tool.get)
    except subprocess.TimeoutExpired:
        return checked(tool.name, ok=False, found=f"no answer within {SECONDS:g} s", advice=tool.silent or tool.get)
    if run.returncode != 0:
        last = (run.stderr.strip().splitlines() or ["no reason told"])[-1]
        return checked(tool.name, ok=False, found=f"does not answer ({last})", advice=tool.silent or tool.get)
    version = version_of(run.stdout)
    return checked(
        tool.name,
        ok=version is not None and version >= tool.oldest,
        found=".".join(map(str, version)) if version else f"tells no version ({run.stdout.strip()[:60]})",
        advice=f"{'.'.join(map(str, tool.oldest))} or newer is needed: {tool.get}",
    )


def version_of(text: str) -> tuple[int, int] | None:
    """The first version in a tool's answer, major and minor."""
    found = re.search(r"\bv?(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else None
