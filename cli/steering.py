"""`labctl pause` and `promote`: a word to a rollout that runs elsewhere, on a cluster also on another machine.

`resume` and `abort` are in cli/recovery.py.
"""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.common_options import Where, with_common
from cli.labs import lab_on
from cli.settings import settings
from strategies.errors import UsageError
from strategies.steering import Command

if TYPE_CHECKING:
    from cli.labs import Lab


@with_common
def pause(where: Where) -> None:
    """Let a rollout that runs stay where it is; the candidate is judged on meanwhile."""
    _lab(where).ask(Command.PAUSE)
    print("asked to pause; `labctl resume` goes on as planned, `labctl promote` at once, `labctl abort` ends it")


@with_common
def promote(
    where: Where,
    full: Annotated[bool, typer.Option("--full", help="Wait for nothing any more, in this step and in all that follow.")] = False,
) -> None:
    """Go on at once where a rollout waits: in a baseline, at a gate, in a pause, in an analysis or in a hold.

    An A/B test and a shadow are looked at a last time, and end as inconclusive if that is too early to tell.
    """
    _lab(where).ask(Command.PROMOTE_FULL if full else Command.PROMOTE)
    print(
        "asked to go on at once, and to wait for nothing any more"
        if full
        else "asked to go on at once; if nothing waits in the step that it is in, the rollout notes that the word is dropped"
    )


def _lab(where: Where) -> "Lab":
    from cli.clock import SystemClock

    return lab_on(where.chosen(), settings(), SystemClock())


@with_common
def undo(
    where: Where,
    rate: Annotated[
        float | None,
        typer.Option(
            min=0, help="Requests per second of the lab's users meanwhile; 0 for none, else as many as the rollout had.", show_default=False
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout, the rest on stderr.")] = False,
) -> None:
    """Give everybody the version from before the last promotion again, without steps; at once while it is kept warm."""
    from cli.performing import Asked, perform
    from cli.promotion import last_promotion, plan_back, users_meanwhile, version_before
    from cli.recovery import live_run
    from cli.session import promoted
    from strategies.run import JudgeOptions

    lab = _lab(where)
    live = live_run(lab)
    if live:
        if not promoted(live.run.plan, lab.now(live).events()):
            raise UsageError(
                f"{live.path.name} is under way and has promoted nothing yet, so there is nothing to undo; `labctl abort` ends it"
            )
        lab.ask(Command.UNDO)
        print(f"asked to give everybody {live.run.from_version} again; `labctl status --watch` shows when it is done")
        return
    found = last_promotion(lab)
    asked = Asked(
        plan=lambda stable: plan_back(found.run, stable),
        to_version=version_before(found.run).version,
        from_version="",
        load=users_meanwhile(found.run, rate),
        judge=JudgeOptions(),
        timeout=found.run.timeout,
        port=0,
        where=where,
    )
    perform(asked, as_json=as_json)
