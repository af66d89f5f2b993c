"""`labctl compare`: performs every strategy with good and bad candidates, and writes the table of what each cost."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from cli.common_options import Where, seconds, with_common


@with_common
def compare(
    where: Where,
    repeat: Annotated[int, typer.Option(min=1, help="How often each rollout is performed.")] = 1,
    strategies: Annotated[str, typer.Option(help="Which strategies.")] = "recreate,rolling,blue-green,canary,ab-test,shadow",
    candidates: Annotated[str, typer.Option(help="Which versions are rolled out, each by each strategy.")] = "v2,v2-broken,v2-wrong",
    rate: Annotated[float, typer.Option(min=0.1, help="Requests per second of all users.")] = 150.0,
    users: Annotated[int, typer.Option(min=1, help="How many users share the requests.")] = 300,
    replicas: Annotated[int, typer.Option(min=1, help="How many replicas all the traffic needs.")] = 2,
    baseline: Annotated[float, seconds("How long stable is watched before.", default="10s")] = 10.0,
    hold: Annotated[float, seconds("How long each analysis lasts at most.", default="20s")] = 20.0,
    keep: Annotated[float, seconds("How long the old version stays warm after a promotion.", default="5s")] = 5.0,
    objective: Annotated[
        float | None, seconds("Slower requests count as slow. Default: 5 times stable's p99 in each baseline.", "--objective-latency")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the order, and of the users' schedule in the first repeat.")] = 1,
    to: Annotated[Path, typer.Option(help="The folder of its runs and of the table.")] = Path("comparison"),
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout, the rest on stderr.")] = False,
) -> None:
    """Measure all strategies side by side; what was measured before into the same folder is not repeated."""
    from cli.clock import SystemClock
    from cli.comparing import measure, plan_of, write
    from cli.grounds import ground
    from cli.live import Display
    from cli.lock import exclusive
    from cli.settings import settings
    from strategies.errors import Interrupted

    folder, clock, display = to.resolve(), SystemClock(), Display()
    clock.say = display.say
    on = ground(where, folder, replicas=replicas, clock=clock)
    setting = plan_of(
        strategies=strategies,
        candidates=candidates,
        rate=rate,
        users=users,
        replicas=replicas,
        baseline=baseline,
        hold=hold,
        keep=keep,
        objective=objective,
        repeats=repeat,
        seed=seed,
        command=("labctl", *sys.argv[1:]),
        store=settings().store,
        platform=on.name,
        words=on.words,
    )
    interrupted: Interrupted | None = None
    with clock.listening(), exclusive(folder, "labctl compare"):
        try:
            measure(setting, folder, on, clock, display.say)
        except Interrupted as error:
            interrupted = error
        # what was measured is worth having, also when the rest is still to come
        written = write(setting, folder)
    print(written.json if as_json else f"{written.markdown}\ntable: {folder / 'comparison.html'}")
    if interrupted:
        raise interrupted
    raise typer.Exit(0 if written.complete else 3)
