"""`labctl up`, `down` and `status`: a lab that stays between rollouts."""

import json
import sys
from typing import Annotated

import typer

from cli.beside import hint
from cli.common_options import Where, with_common
from cli.labs import lab_on
from cli.settings import settings

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


@with_common
def up(
    where: Where,
    version: Annotated[str, typer.Option(help="The version to serve first.")] = "v1",
    replicas: Annotated[int, typer.Option(min=1, help="How many replicas all the traffic needs.")] = 2,
    port: Annotated[int, typer.Option(min=0, max=65535, help="The gateway's loopback port; 0 for a free one, on kind for 8080.")] = 0,
    grafana: Annotated[
        bool | None, typer.Option("--grafana/--no-grafana", help="Grafana beside it, or none; else LAB_GRAFANA.", show_default=False)
    ] = None,
    node_image: Annotated[str, typer.Option(help="On kind: the image of its node; else LAB_NODE_IMAGE, else kind's own choice.")] = "",
    istio_overlay: Annotated[
        str, typer.Option(metavar="FILE", help="On kind: one more IstioOperator file; else LAB_ISTIO_OVERLAY, else none.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Start a lab: the model API behind a proxy, watched by Prometheus. A second call changes nothing."""
    chosen = where.chosen(
        gateway_port=str(port or ""),
        grafana="" if grafana is None else "on" if grafana else "off",
        node_image=node_image,
        istio_overlay=istio_overlay,
    )
    if chosen.kubernetes:
        from cli.cluster_up import up_on_cluster

        up_on_cluster(chosen, version=version, replicas=replicas, words=where.typed(), as_json=as_json)
    else:
        _up_here(version=version, replicas=replicas, port=port, with_grafana=chosen.grafana, as_json=as_json)


def _up_here(*, version: str, replicas: int, port: int, with_grafana: bool, as_json: bool) -> None:
    from cli.clock import SystemClock
    from cli.live import Display
    from cli.local_lab import LocalLab, start_lab
    from cli.lock import exclusive
    from cli.recovery import end_dead_run
    from platforms.local import grafana
    from platforms.local import lab as local
    from platforms.local.state import StateFile

    places, clock, display = settings(), SystemClock(), Display()
    with clock.listening(), exclusive(places.home, "labctl up"):
        end_dead_run(LocalLab(places, clock), places, clock, display)
        found = StateFile(places.home).read()
        if found and not local.complete(found):
            display.say("the lab that is here is not whole; it is ended and started anew")
            local.stop(places.home, clock=clock)
            found = None
        running = found or start_lab(places, version=version, replicas=replicas, port=port, clock=clock, say=display.say)
        if with_grafana:
            grafana.start(places.home, clock=clock, say=display.say)
        running = StateFile(places.home).read() or running
    urls = {
        "gateway": f"http://127.0.0.1:{running.gateway_port}",
        "prometheus": f"http://127.0.0.1:{running.prometheus_port}",
        "proxy": f"http://127.0.0.1:{running.admin_port}",
        **({"grafana": f"http://127.0.0.1:{running.grafana_port}"} if running.grafana else {}),
        "metrics": [f"http://{replica.instance}/metrics" for replica in running.replicas],
    }
    if as_json:
        print(json.dumps({"already": found is not None, **urls}))
    else:
        print("already up" if found else "up")
        for name in ("gateway", "prometheus", "proxy", "grafana"):
            if name in urls:
                print(f"  {name:<11}{urls[name]}")


@with_common
def down(where: Where) -> None:
    """End the lab and everything that it runs; the runs and the models stay."""
    chosen = where.chosen()
    if chosen.kubernetes:
        from cli.cluster_up import down_on_cluster

        down_on_cluster(chosen)
    else:
        _down_here()
        hint(chosen, "down")


def _down_here() -> None:
    from cli.clock import SystemClock
    from cli.lock import exclusive
    from platforms.local import lab as local

    places, clock = settings(), SystemClock()
    with clock.listening(), exclusive(places.home, "labctl down"):
        killed = local.stop(places.home, clock=clock)
    if killed:
        print(f"had to be killed: {', '.join(killed)}", file=sys.stderr)
    print("down; nothing is left running")


@with_common
def status(
    where: Where,
    watching: Annotated[bool, typer.Option("--watch", help="Follow the rollout that runs to its end; the exit code is its own.")] = False,
    as_json: Json = False,
) -> None:
    """Tell what runs, who gets the traffic, and whether a rollout is under way or was left behind."""
    from cli.clock import SystemClock
    from cli.status import tell

    chosen = where.chosen()
    lab = lab_on(chosen, settings(), SystemClock())
    if watching:
        from cli.watching import watch

        raise typer.Exit(watch(lab))
    found = lab.describe()
    if as_json:
        print(json.dumps(found, indent=2))
    else:
        tell(found)
        hint(chosen, "status")
