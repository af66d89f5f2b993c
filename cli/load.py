"""`labctl load`: users without a rollout, with the same log and report."""

import sys
from typing import Annotated

import typer

from cli.common_options import Where, with_common
from cli.labs import lab_on
from cli.parameters import duration
from cli.settings import settings
from strategies.errors import CouldNotRun


@with_common
def load(
    where: Where,
    rate: Annotated[float, typer.Option(min=0.001, help="Requests per second of all users.")] = 50.0,
    seconds: Annotated[float, typer.Option("--for", parser=duration, metavar="DURATION", help="How long.")] = 30.0,
    shape: Annotated[str, typer.Option(help="How the rate moves: constant, steps, ramp or spike.")] = "constant",
    users: Annotated[int, typer.Option(min=1, help="How many users share the requests.")] = 100,
    seed: Annotated[int, typer.Option(help="Of the users' schedule.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout, the rest on stderr.")] = False,
) -> None:
    """Put load on the lab that runs, without a rollout."""
    from cli.clock import SystemClock
    from cli.live import Display
    from cli.performing import stable_now
    from cli.recovery import end_dead_run
    from cli.reports import show
    from cli.session import carry_out, digests
    from impact.rundir import RunFolder, run_id
    from strategies.plan import Hold, Plan
    from strategies.run import JudgeOptions, LoadOptions, Run

    if shape not in {"constant", "steps", "ramp", "spike"}:
        raise typer.BadParameter(f"{shape!r} is no shape; take constant, steps, ramp or spike")
    places, clock, display = settings(), SystemClock(), Display()
    clock.say = display.say
    lab = lab_on(where.chosen(), places, clock)
    with clock.listening(), lab.exclusive("labctl load"):
        end_dead_run(lab, places, clock, display)
        found = lab.serving()
        if found is None:
            raise CouldNotRun("no lab runs here; start one with `labctl up`")
        stable, started = stable_now(found), clock.now()
        version = stable.release.version
        run = Run(
            id=run_id(started, "load", version, ""),
            started=started,
            command=("labctl", *sys.argv[1:]),
            platform=lab.name,
            from_version=version,
            to_version=version,
            stable=stable.slot,
            candidate=stable.slot.other,
            plan=Plan(strategy="load", replicas=stable.release.replicas, steps=(Hold(seconds, f"{shape} load"),)),
            load=LoadOptions(rate=rate, users=users, seed=seed, shape=shape, seconds=seconds),
            judge=JudgeOptions(),
            timeout=60.0,
            digests=digests(places.store, (version,)),
        )
        folder = RunFolder.create(places.runs, run)
        summary = carry_out(folder, lab, places, clock, display)
    show(folder, summary, as_json=as_json)
    raise typer.Exit(3 if summary.exit_code is None else summary.exit_code)
