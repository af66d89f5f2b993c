"""The kind cluster: made, known again, filled with images, deleted. Never one that is somebody else's.

A cluster is ours if its node publishes the ports of `kind-config.yaml`, which nobody else's does by chance; and it is whole
if it has the mark that is left after everything in it was made. One without the mark was interrupted, and is made anew.
"""

import json
import re
from contextlib import suppress
from ipaddress import ip_interface

import msgspec
import psutil

from platforms.kubernetes.settings import PROJECT, KubernetesSettings, Ports
from platforms.kubernetes.tools import Tools
from strategies.errors import CouldNotRun, ToolFailed
from strategies.waiting import wait_until

NODE_PORTS = {"gateway": 30080, "prometheus": 30090, "grafana": 30030, "store": 30070, "database": 30432}
"""What `kind-config.yaml` publishes, by the name of its field in `Ports`."""
MARK = "/kind/lab-complete"
CREATE_SECONDS = 900.0
"""The node's image may have to be pulled."""
LOAD_SECONDS = 600.0
_CREATE = ("kind", "create", "cluster", "--name")


def config(text: str, ports: Ports) -> str:
    """`kind-config.yaml` with these host ports.

    Raises:
        CouldNotRun: the file has no place for one of them.
    """
    usual = Ports()
    for name in NODE_PORTS:
        before, after = f"hostPort: {getattr(usual, name)}\n", f"hostPort: {getattr(ports, name)}  # set\n"
        if before not in text:
            raise CouldNotRun(
                f"kind-config.yaml publishes nothing as `{before.strip()}`; restore that line, and set LAB_{name.upper()}_PORT"
            )
        text = text.replace(before, after)
    return text


def published(tools: Tools, cluster: str) -> Ports | None:
    """The ports on which an existing cluster of ours is reached; None if there is no cluster of this name.

    Raises:
        CouldNotRun: there is one, and it is not ours.
        ToolFailed: docker does not run.
    """
    if _node(cluster) not in tools.run("docker", "ps", "--all", "--format", "{{.Names}}", timeout=30.0).split():
        return None
    ports = _ports(tools, _node(cluster))
    if ports is None:
        raise CouldNotRun(
            f"there is a kind cluster {cluster} that this lab did not make; it is left alone, so give the lab another name with LAB_CLUSTER"
        )
    return ports


def networks(tools: Tools, cluster: str) -> tuple[str, ...]:
    """The networks in which docker has the node, such as 172.18.0.0/16: by them this machine's requests reach the node ports.

    Raises:
        ToolFailed: there is no such node.
    """
    found = json.loads(tools.run("docker", "inspect", "--format", "{{json .NetworkSettings.Networks}}", _node(cluster), timeout=30.0))
    addresses = [(one.get("IPAddress"), one.get("IPPrefixLen")) for one in found.values()]
    addresses += [(one.get("GlobalIPv6Address"), one.get("GlobalIPv6PrefixLen")) for one in found.values()]
    return tuple(sorted(str(ip_interface(f"{address}/{length}").network) for address, length in addresses if address))


def others(tools: Tools, cluster: str) -> tuple[str, ...]:
    """Nodes of labs beside this one, which use the same images."""
    role = ("--filter", "label=io.x-k8s.kind.role=control-plane")
    nodes = tools.run("docker", "ps", "--all", "--format", "{{.Names}}", *role, timeout=30.0).split()
    return tuple(node for node in nodes if node != _node(cluster) and _ports(tools, node))


def as_published(tools: Tools, settings: KubernetesSettings) -> KubernetesSettings:
    """The settings with the ports on which their cluster is really reached, whatever they say; itself where there is none.

    Raises:
        CouldNotRun: a kind cluster of this name is not ours.
        ToolFailed: docker does not run.
    """
    ports = published(tools, settings.cluster) if settings.cluster else None
    return msgspec.structs.replace(settings, ports=ports) if ports else settings


def ensure(tools: Tools, settings: KubernetesSettings) -> Ports:
    """Have the cluster, running and whole; the ports on which it is reached.

    Raises:
        CouldNotRun: a cluster of that name is somebody else's.
        ToolFailed: kind or docker failed; a taken port is told in docker's words.
        NotReady: its API server does not answer.
    """
    _end_left_behind(tools, settings.cluster)
    ports = published(tools, settings.cluster)
    if ports and not _whole(tools, settings.cluster):
        tools.say(f"the cluster {settings.cluster} is not whole; it is deleted and made anew")
        delete(tools, settings.cluster)
        ports = None
    if ports is None:
        _create(tools, settings)
        ports = settings.ports
    _wait_until_it_answers(tools, settings)
    return ports


def delete(tools: Tools, cluster: str) -> None:
    """Delete the cluster, and its context in the kubeconfig."""
    tools.run("kind", "delete", "cluster", "--name", cluster, timeout=300.0)


def missing_images(tools: Tools, cluster: str, wanted: tuple[str, ...]) -> tuple[str, ...]:
    """Those that the node does not have."""
    there = tools.run("docker", "exec", _node(cluster), "ctr", "--namespace", "k8s.io", "images", "ls", "--quiet", timeout=60.0).split()
    return tuple(name for name in wanted if full_name(name) not in there)


def load(tools: Tools, cluster: str, images: tuple[str, ...]) -> None:
    """Put images of the local engine into the node.

    Raises:
        ToolFailed: kind could not.
    """
    for image in images:
        tools.say(f"loading {image} into the node")
        tools.run("kind", "load", "docker-image", "--name", cluster, image, timeout=LOAD_SECONDS)


def full_name(image: str) -> str:
    """The name by which a node knows an image: with its registry."""
    first, _, rest = image.partition("/")
    if not rest:
        return f"docker.io/library/{image}"
    return image if "." in first or ":" in first or first == "localhost" else f"docker.io/{image}"


def _ports(tools: Tools, node: str) -> Ports | None:
    """Where a node publishes what a lab's node does; None if it is another's."""
    found = tools.run("docker", "inspect", "--format", "{{json .HostConfig.PortBindings}}", node, timeout=30.0)
    bindings = json.loads(found) or {}
    try:
        return Ports(**{name: int(bindings[f"{port}/tcp"][0]["HostPort"]) for name, port in NODE_PORTS.items()})
    except (KeyError, IndexError):
        return None


def _create(tools: Tools, settings: KubernetesSettings) -> None:
    tools.say(f"making the kind cluster {settings.cluster}")
    text = config((PROJECT / "kind-config.yaml").read_text(encoding="utf-8"), settings.ports)
    image = ("--image", settings.node_image) if settings.node_image else ()
    try:
        tools.run(*(*_CREATE, settings.cluster, *image, "--config", "-"), given=text, timeout=CREATE_SECONDS)
    except ToolFailed as error:
        if taken := re.search(r"127\.0\.0\.1:\d+(?=.*(?:port is already allocated|address already in use))", error.stderr):
            raise CouldNotRun(
                f"{taken[0]} is taken by another program; end it, or set LAB_GATEWAY_PORT, LAB_PROMETHEUS_PORT, LAB_GRAFANA_PORT, "
                f"LAB_STORE_PORT or LAB_DATABASE_PORT to another port"
            ) from error
        raise
    tools.run("docker", "exec", _node(settings.cluster), "touch", MARK, timeout=30.0)


def _end_left_behind(tools: Tools, cluster: str) -> None:
    """End a kind whose labctl was killed: it would go on, fail, and then delete the cluster that was made in its place."""
    for process in psutil.process_iter(["cmdline"]):
        if (process.info["cmdline"] or [])[: len(_CREATE) + 1] == [*_CREATE, cluster]:
            tools.say(f"ending a kind that was left behind while it made the cluster {cluster}")
            with suppress(psutil.Error):
                process.terminate()
                process.wait(60.0)


def _whole(tools: Tools, cluster: str) -> bool:
    running = tools.run("docker", "inspect", "--format", "{{.State.Running}}", _node(cluster), timeout=30.0).strip() == "true"
    if not running:
        tools.say(f"starting the node of the cluster {cluster} again")
        tools.run("docker", "start", _node(cluster), timeout=120.0)
    return tools.succeeds("docker", "exec", _node(cluster), "test", "-e", MARK)


def _wait_until_it_answers(tools: Tools, settings: KubernetesSettings) -> None:
    ask = ("kubectl", "--context", settings.context, "--request-timeout", "5s", "get", "--raw", "/readyz")
    if not tools.succeeds(*ask):
        # another kubeconfig, or a context that somebody removed from it
        tools.run("kind", "export", "kubeconfig", "--name", settings.cluster, timeout=60.0)
    wait_until(
        lambda: tools.succeeds(*ask),
        timeout=180.0,
        clock=tools.clock,
        every=1.0,
        reason=lambda: f"the API server of the cluster {settings.cluster} does not answer; `labctl down --platform kind`, then up again",
    )


def _node(cluster: str) -> str:
    return f"{cluster}-control-plane"
