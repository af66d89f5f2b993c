"""How the lab on a cluster is configured: by flags, else by LAB_ variables, else by `labctl.toml` in the current folder.

`labctl.toml` has the names of the variables in small letters and without LAB_: `node_image = "..."` is LAB_NODE_IMAGE.
"""

import re
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path

import msgspec

from strategies.errors import UsageError

FILE = "labctl.toml"
PROJECT = Path(__file__).parents[2]
"""The folder of the charts, the manifests and the model API, which are no part of an installed package."""
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
"""What a namespace or a cluster may be called."""

ADDRESS = re.compile(r"[A-Za-z0-9.-]+:[0-9]{1,5}")


class Ports(msgspec.Struct, frozen=True, kw_only=True):
    """Ports of the host's loopback that kind publishes parts of the lab on."""

    gateway: int = 8080
    prometheus: int = 9090
    grafana: int = 3000
    store: int = 7070
    database: int = 5432


class KubernetesSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One lab on a cluster.

    Attributes:
        cluster: the kind cluster that is ours to make and to delete; empty on a cluster that is somebody else's.
        context: the kubeconfig's context; everything is done through it and nothing through the current one.
        namespace: the only namespace that is written to (on kind Istio is installed into its own, too).
        image: repository:tag of the model API; empty builds it from here, for kind.
        base_image: what the model API's image is built on; empty for the Dockerfile's own.
        node_image: the image of kind's node; empty for kind's own choice.
        istio_overlay: one more IstioOperator file; empty for none.
        grafana: whether Grafana is installed.
        gateway_url: where users' requests go in; empty where kind publishes it.
        prometheus_url: where Prometheus answers; empty where kind publishes it.
        database_address: host:port where the prediction log's database answers; empty where kind publishes it.
        ports: what kind publishes where.
    """

    cluster: str
    context: str
    namespace: str = "lab"
    image: str = ""
    base_image: str = ""
    node_image: str = ""
    istio_overlay: str = ""
    grafana: bool = True
    gateway_url: str = ""
    prometheus_url: str = ""
    database_address: str = ""
    ports: Ports = Ports()

    @property
    def gateway(self) -> str:
        """Where users send their requests; empty if nobody said so of a cluster that is not ours."""
        return self.gateway_url or (f"http://127.0.0.1:{self.ports.gateway}" if self.cluster else "")

    @property
    def prometheus(self) -> str:
        """Where Prometheus answers; empty if nobody said so of a cluster that is not ours."""
        return self.prometheus_url or (f"http://127.0.0.1:{self.ports.prometheus}" if self.cluster else "")

    @property
    def database(self) -> str:
        """Where the prediction log's database answers, as host:port; empty if nobody said so of a cluster that is not ours."""
        return self.database_address or (f"127.0.0.1:{self.ports.database}" if self.cluster else "")

    def require_addresses(self) -> None:
        """Return if users and Prometheus can be reached. A port of this machine would be guessed: it may be another lab's.

        Raises:
            UsageError: an address is missing; the sentence names what to set.
        """
        needed = {"LAB_GATEWAY_URL": self.gateway, "LAB_PROMETHEUS_URL": self.prometheus}
        if missing := [variable for variable, value in needed.items() if not value]:
            raise UsageError(
                f"{self.context} is no cluster of ours, so set {' and '.join(missing)}: where Istio's gateway and the lab's Prometheus are "
                "reached from here"
            )


KNOWN = (
    "platform",
    *(name for name in KubernetesSettings.__struct_fields__ if name != "ports"),
    *(f"{name}_port" for name in Ports.__struct_fields__),
)
"""What a labctl.toml may set."""


class Sources:
    """Where a setting may come from, the first that has it wins.

    `flags` are by name, an empty one is not given; `environment` has LAB_ names; `file` is labctl.toml and need not exist.

    Raises:
        UsageError: the file cannot be read, or sets what is no setting.
    """

    def __init__(self, flags: Mapping[str, str], environment: Mapping[str, str], file: Path) -> None:
        self._flags = flags
        self._environment = environment
        self._file = file
        try:
            self._written = tomllib.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            self._written = {}
        except (OSError, ValueError) as error:
            raise UsageError(f'{file} cannot be read ({error}); write settings like node_image = "...", one a line') from error
        for name in self._written:
            if name not in KNOWN:
                near = get_close_matches(name.lower().removeprefix("lab_"), KNOWN, n=1)
                raise UsageError(
                    f"{file} sets {name}, which is no setting; "
                    + (f"the nearest one is {near[0]}" if near else f"a setting is one of {', '.join(KNOWN)}")
                )

    def text(self, name: str, default: str = "") -> str:
        """A setting as text."""
        variable = f"LAB_{name.upper()}"
        written = self._written.get(name, "")
        return self._flags.get(name) or self._environment.get(variable) or (str(written) if written != "" else "") or default

    def port(self, name: str, default: int) -> int:
        """A setting that is a port.

        Raises:
            UsageError: it is none.
        """
        text = self.text(name, str(default))
        if not text.isdecimal() or not 0 < int(text) < 65536:
            raise UsageError(f"LAB_{name.upper()} is {text!r}, which is no port; give a number from 1 to 65535")
        return int(text)

    def switch(self, name: str, *, default: bool) -> bool:
        """A setting that is on or off.

        Raises:
            UsageError: it is neither.
        """
        text = self.text(name, "on" if default else "off").lower()
        if text not in {"on", "off", "true", "false", "1", "0"}:
            raise UsageError(f"LAB_{name.upper()} is {text!r}; give on or off")
        return text in {"on", "true", "1"}


def kind_settings(sources: Sources) -> KubernetesSettings:
    """A lab in a kind cluster of its own.

    Raises:
        UsageError: a setting makes no sense.
    """
    cluster = _name(sources, "cluster", "lab")
    context = f"kind-{cluster}"
    if sources.text("context", context) != context:
        raise UsageError(f"--platform kind has the context {context}; leave --context out, or name the cluster with LAB_CLUSTER")
    return _settings(sources, cluster=cluster, context=context)


def cluster_settings(sources: Sources) -> KubernetesSettings:
    """A lab in a namespace of a cluster that is there already.

    Raises:
        UsageError: a setting is missing or makes no sense.
    """
    context = sources.text("context")
    if not context:
        raise UsageError("--platform kubernetes needs --context NAME (or LAB_CONTEXT); `kubectl config get-contexts` lists them")
    return _settings(sources, cluster="", context=context)


def _settings(sources: Sources, *, cluster: str, context: str) -> KubernetesSettings:
    usual = Ports()
    return KubernetesSettings(
        cluster=cluster,
        context=context,
        namespace=_name(sources, "namespace", "lab"),
        image=sources.text("image"),
        base_image=sources.text("base_image"),
        node_image=sources.text("node_image"),
        istio_overlay=sources.text("istio_overlay"),
        grafana=sources.switch("grafana", default=True),
        gateway_url=sources.text("gateway_url").rstrip("/"),
        prometheus_url=sources.text("prometheus_url").rstrip("/"),
        database_address=_address(sources, "database_address"),
        ports=Ports(
            gateway=sources.port("gateway_port", usual.gateway),
            prometheus=sources.port("prometheus_port", usual.prometheus),
            grafana=sources.port("grafana_port", usual.grafana),
            store=sources.port("store_port", usual.store),
            database=sources.port("database_port", usual.database),
        ),
    )


def _address(sources: Sources, name: str) -> str:
    text = sources.text(name)
    if text and not ADDRESS.fullmatch(text):
        raise UsageError(f"LAB_{name.upper()} is {text!r}; give host:port, such as 127.0.0.1:5432")
    return text


def _name(sources: Sources, name: str, default: str) -> str:
    text = sources.text(name, default)
    if not NAME.fullmatch(text):
        raise UsageError(f"{text!r} cannot be a {name}; use small letters, digits and '-', at most 63")
    return text
