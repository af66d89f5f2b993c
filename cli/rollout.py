"""`labctl rollout STRATEGY`: performs it, judges it, promotes or rolls back, writes a report."""

from typing import Annotated

import typer
from typer.models import OptionInfo

from cli.parameters import duration, weights
from cli.performing import Asked, perform, print_plan
from strategies.canary import CanaryOptions
from strategies.canary import canary as plan_canary
from strategies.plan import Plan
from strategies.run import JudgeOptions, LoadOptions
from strategies.traffic import Slot

app = typer.Typer(no_args_is_help=True, help="Put the next version live, and measure what it costs the users.")


def _duration(help_text: str, *names: str, default: str | bool = False) -> OptionInfo:
    """An option that is given as 500ms, 30s or 2m; `default` is how the help writes its default."""
    option: OptionInfo = typer.Option(*names, parser=duration, metavar="DURATION", help=help_text, show_default=default)
    return option


@app.callback()
def rollout() -> None:
    """Put the next version live, and measure what it costs the users."""


@app.command()
def canary(
    weight: Annotated[int, typer.Option(help="Percent of the requests that the candidate is judged with.")] = 10,
    steps: Annotated[str, typer.Option(help="Several shares one after the other, such as 10,25,50; instead of --weight.")] = "",
    hold: Annotated[float, _duration("How long each share is analysed.", default="55s")] = 55.0,
    baseline: Annotated[float, _duration("How long stable is watched before.", default="5s")] = 5.0,
    keep: Annotated[float, _duration("How long the old version stays warm after.", default="5s")] = 5.0,
    to: Annotated[str, typer.Option(help="The version to roll out.")] = "v2",
    from_version: Annotated[str, typer.Option("--from", help="The version to start with (v1), only where no lab runs yet.")] = "",
    replicas: Annotated[int, typer.Option(min=0, help="How many replicas all the traffic needs; 0: as many as serve now, else 2.")] = 0,
    rate: Annotated[float, typer.Option(min=0, help="Requests per second of all users; 0 for none.")] = 50.0,
    users: Annotated[int, typer.Option(min=1, help="How many users share the requests.")] = 100,
    seed: Annotated[int, typer.Option(help="Of the users' schedule.")] = 1,
    timeout: Annotated[float, _duration("How long a deployment, a change of routes or a drain may take.", default="60s")] = 60.0,
    objective: Annotated[
        float | None, _duration("Slower requests count as slow. Default: 5 times stable's p99 in the baseline.", "--objective-latency")
    ] = None,
    margin: Annotated[float, typer.Option(min=0, max=99, help="Points by which the candidate may be worse than stable.")] = 2.0,
    detect: Annotated[float, typer.Option(min=0.1, max=99, help="Points of harm beyond the margin that must not stay unseen.")] = 10.0,
    port: Annotated[int, typer.Option(min=0, max=65535, help="The gateway's port where no lab runs yet; 0 for a free one.")] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and the routes; touch nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout, the rest on stderr.")] = False,
) -> None:
    """A growing share of the users gets the new version; each share is judged before the next."""

    def plan(stable: Slot, running: int) -> Plan:
        return plan_canary(
            CanaryOptions(
                to_version=to,
                stable=stable,
                weights=weights(steps) if steps else (weight,),
                replicas=replicas or running,
                hold=hold,
                baseline=baseline,
                keep=keep,
            )
        )

    asked = Asked(
        plan=plan,
        to_version=to,
        from_version=from_version,
        load=LoadOptions(rate=rate, users=users, seed=seed),
        judge=JudgeOptions(margin=margin / 100, detect=detect / 100, objective=objective),
        timeout=timeout,
        port=port,
    )
    if dry_run:
        print_plan(asked, as_json=as_json)
    else:
        perform(asked, as_json=as_json)
