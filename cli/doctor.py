"""`labctl doctor`: what is missing on this machine, and how to get it."""

import sys
from typing import Annotated

import typer

from cli.common_options import Where, with_common
from cli.platforms import KIND, LOCAL


@with_common
def doctor(
    where: Where,
    install: Annotated[bool, typer.Option("--install", help="Get Prometheus if it is missing, without root.")] = False,
) -> None:
    """Say what this machine lacks and how to get it; changes nothing unless asked."""
    from platforms.kubernetes import doctor as cluster
    from platforms.local import doctor as local
    from platforms.local.prometheus_binary import find
    from platforms.local.prometheus_binary import install as install_prometheus

    chosen = where.chosen().name
    if install and find() is None:
        install_prometheus(lambda text: print(text, file=sys.stderr))
    found = local.checks() if chosen == LOCAL else (*local.checks(), *cluster.checks(kind=chosen == KIND))
    for check in found:
        print(f"{'ok     ' if check.ok else 'MISSING'} {check.name:<16} {check.found}{'' if check.ok else '; ' + check.advice}")
    raise typer.Exit(0 if all(check.ok for check in found) else 3)
