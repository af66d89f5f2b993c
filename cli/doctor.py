"""`labctl doctor`: what is missing on this machine, and how to get it."""

import sys
from typing import Annotated

import typer


def doctor(install: Annotated[bool, typer.Option("--install", help="Get Prometheus if it is missing, without root.")] = False) -> None:
    """Say what this machine lacks and how to get it; changes nothing unless asked."""
    from platforms.local.doctor import checks
    from platforms.local.prometheus_binary import find
    from platforms.local.prometheus_binary import install as install_prometheus

    if install and find() is None:
        install_prometheus(lambda text: print(text, file=sys.stderr))
    found = checks()
    for check in found:
        print(f"{'ok     ' if check.ok else 'MISSING'} {check.name:<16} {check.found}{'' if check.ok else '; ' + check.advice}")
    raise typer.Exit(0 if all(check.ok for check in found) else 3)
