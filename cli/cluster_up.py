"""`labctl up` and `labctl down` on a cluster."""

import json

from cli.clock import SystemClock
from cli.cluster_lab import ClusterLab
from cli.live import Display
from cli.lock import exclusive
from cli.platforms import Chosen
from cli.session import require_version
from cli.settings import settings
from platforms.kubernetes.install import install
from platforms.kubernetes.remove import remove
from platforms.kubernetes.settings import KubernetesSettings
from platforms.kubernetes.tools import Tools


def up_on_cluster(chosen: Chosen, *, version: str, replicas: int, as_json: bool) -> None:
    """Have a lab with a first version on the cluster; the addresses that lead to it are printed."""
    places, clock, display = settings(), SystemClock(), Display()
    require_version(places.store, version, "--version")
    with clock.listening(), exclusive(places.home, "labctl up"):
        installed = install(Tools(clock, display.say), _of(chosen), store=places.store)
        lab = ClusterLab(chosen.name, installed.settings, places, clock)
        new = lab.begin(version, replicas=replicas, values=installed.values, say=display.say)
    urls = {
        "gateway": installed.settings.gateway,
        "prometheus": installed.settings.prometheus,
        **({"grafana": f"http://127.0.0.1:{installed.settings.ports.grafana}"} if _has_grafana(installed.settings) else {}),
        **({"store": f"http://127.0.0.1:{installed.settings.ports.store}"} if installed.settings.cluster else {}),
    }
    if as_json:
        print(json.dumps({"already": not new, "context": installed.settings.context, **urls}))
        return
    print("up" if new else "already up")
    for name, url in urls.items():
        print(f"  {name:<11}{url}")
    print(f"  {'context':<11}{installed.settings.context}, namespace {installed.settings.namespace}")


def down_on_cluster(chosen: Chosen) -> None:
    """Remove the lab from the cluster; on kind, the cluster."""
    places, clock, display = settings(), SystemClock(), Display()
    with clock.listening(), exclusive(places.home, "labctl down"):
        there = remove(Tools(clock, display.say), _of(chosen))
    print("down; nothing of the lab is left" if there else "there was no lab to end")


def _of(chosen: Chosen) -> KubernetesSettings:
    if chosen.kubernetes is None:
        raise AssertionError("only asked of a cluster")
    return chosen.kubernetes


def _has_grafana(where: KubernetesSettings) -> bool:
    return bool(where.grafana and where.cluster)
