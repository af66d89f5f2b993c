"""`labctl up` and `labctl down` on a cluster."""

import json
from collections.abc import Sequence

from cli.clock import SystemClock
from cli.cluster_lab import ClusterLab
from cli.live import Display
from cli.lock import exclusive
from cli.platforms import Chosen
from cli.session import require_version
from cli.settings import Settings, settings
from platforms.kubernetes.install import install
from platforms.kubernetes.remove import remove
from platforms.kubernetes.settings import KubernetesSettings
from platforms.kubernetes.tools import Tools
from strategies.errors import LockHeld


def up_on_cluster(chosen: Chosen, *, version: str, replicas: int, words: Sequence[str], as_json: bool) -> None:
    """Have a lab with a first version on the cluster; the addresses that lead to it are printed.

    `words` are the options by which the person chose it, which every other command needs as well.
    """
    places, clock, display = settings(), SystemClock(), Display()
    require_version(places.store, version, "--version")
    with clock.listening(), exclusive(places.home, "labctl up"):
        installed = install(Tools(clock, display.say), _of(chosen), store=places.store)
        lab = ClusterLab(chosen.name, installed.settings, places, clock)
        new = lab.begin(version, replicas=replicas, values=installed.values, say=display.say)
        outdated = None if new else lab.outdated(installed.values)
    urls = {
        "gateway": installed.settings.gateway,
        "prometheus": installed.settings.prometheus,
        **({"grafana": f"http://127.0.0.1:{installed.settings.ports.grafana}"} if _has_grafana(installed.settings) else {}),
        **({"store": f"http://127.0.0.1:{installed.settings.ports.store}"} if installed.settings.cluster else {}),
    }
    if as_json:
        old = {"outdated": outdated.image, "exchange": outdated.exchange} if outdated else {}
        print(json.dumps({"already": not new, "context": installed.settings.context, **urls, **old}))
        return
    print("up" if new else "already up")
    for name, url in urls.items():
        print(f"  {name:<11}{url}")
    print(f"  {'context':<11}{installed.settings.context}, namespace {installed.settings.namespace}")
    if outdated:
        print(f"its replicas run {outdated.image}, and {outdated.here} is what is here now; a rollout changes the version of the model and")
        print(f"nothing else, so have them exchanged by:\n  {outdated.exchange}")
    if words:
        variables = " ".join(
            f"LAB_{option.removeprefix('--').upper()}={value}" for option, value in zip(words[::2], words[1::2], strict=True)
        )
        print(f"every other command reaches it by `{' '.join(words)}`, or without it after `export {variables}`")


def down_on_cluster(chosen: Chosen) -> None:
    """Remove the lab from the cluster; on kind, the cluster."""
    places, clock, display = settings(), SystemClock(), Display()
    with clock.listening(), exclusive(places.home, "labctl down"):
        _refuse_if_changed_now(chosen, places, clock, display)
        there = remove(Tools(clock, display.say), _of(chosen))
    print("down; nothing of the lab is left" if there else "there was no lab to end")


def _refuse_if_changed_now(chosen: Chosen, places: Settings, clock: SystemClock, display: Display) -> None:
    """Refuse to take the lab away under a rollout that is alive, maybe on another machine.

    Raises:
        LockHeld: there is one; the sentence names it.
    """
    context = _of(chosen).context
    if not Tools(clock, display.say).succeeds("kubectl", "--context", context, "--request-timeout", "5s", "get", "--raw", "/readyz"):
        # nobody can roll out on a cluster that does not answer, and one that was half made must be removable
        return
    holder = ClusterLab(chosen.name, _of(chosen), places, clock).holder()
    if holder:
        raise LockHeld(f"{holder.doing} changes this lab now; wait until it ends, or end it with `labctl abort --platform {chosen.name}`")


def _of(chosen: Chosen) -> KubernetesSettings:
    if chosen.kubernetes is None:
        raise AssertionError("only asked of a cluster")
    return chosen.kubernetes


def _has_grafana(where: KubernetesSettings) -> bool:
    return bool(where.grafana and where.cluster)
