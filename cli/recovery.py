"""`labctl resume` and `labctl abort`: what to do with a run whose labctl died, or that is to end now."""

import os
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from cli.common_options import Where, with_common
from cli.labs import lab_on
from cli.settings import Settings, settings
from strategies.errors import Interrupted, UsageError
from strategies.steering import Command

if TYPE_CHECKING:
    from cli.clock import SystemClock
    from cli.labs import Lab
    from cli.live import Display
    from impact.rundir import RunFolder
    from impact.summary import Summary
    from strategies.events import Ending

HOLDER_DEADLINE = 90.0
"""Seconds that a live labctl has for its own way back before it is killed and its run is ended for it."""

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, the rest on stderr.")]


@with_common
def resume(where: Where, as_json: Json = False) -> None:
    """Go on with a paused rollout, or with one whose labctl died, from the step that it was in."""
    from cli.clock import SystemClock
    from cli.live import Display
    from cli.reports import show
    from cli.session import carry_out

    places, clock, display = settings(), SystemClock(), Display()
    clock.say = display.say
    lab = lab_on(where.chosen(), places, clock)
    if live_run(lab):
        lab.ask(Command.RESUME)
        print("asked to go on as planned")
        return
    with clock.listening(), lab.exclusive("labctl resume"):
        folder = _unended(lab)
        if folder is None:
            raise UsageError("no rollout was left behind, so there is nothing to resume; `labctl runs` lists what was")
        first = _first_open_step(folder)
        give_up = _way_back_of(folder) if first is None else None
        summary = carry_out(folder, lab, places, clock, display, first=first or 0, give_up=give_up)
    show(folder, summary, as_json=as_json)
    raise typer.Exit(3 if summary.exit_code is None else summary.exit_code)


@with_common
def abort(where: Where, as_json: Json = False) -> None:
    """End a rollout, live or left behind: back to stable before promotion, on to its end after it."""
    from cli.clock import SystemClock
    from cli.live import Display
    from cli.reports import show
    from cli.session import close
    from impact.rundir import RunFolder

    places, clock, display = settings(), SystemClock(), Display()
    clock.say = display.say
    lab = lab_on(where.chosen(), places, clock)
    with clock.listening():
        folder = lab.run()
        if folder is None:
            raise UsageError("no rollout is under way or was left behind, so there is nothing to abort")
        # before one that lives is ended: whatever it leaves is ended from here
        lab.require_addresses()
        ended = end_live_holder(lab, clock, display)
        with lab.exclusive("labctl abort", take_over=not ended):
            # a live one has ended by itself; what is still named was left behind
            end_dead_run(lab, places, clock, display, reason="labctl abort")
    summary = close(RunFolder.open(folder.path))
    show(folder, summary, as_json=as_json)
    raise typer.Exit(3 if summary.left or summary.outcome is None else 0)


def end_dead_run(lab: "Lab", places: Settings, clock: "SystemClock", display: "Display", reason: str = "") -> "Summary | None":
    """End what a dead labctl left behind, naming it; the caller holds the lock or has waited for it. None if nothing was left."""
    from cli.session import carry_out, close
    from strategies.events import Ended, Outcome, StepStarted

    folder = _unended(lab)
    if folder is None:
        return None
    cause = Interrupted(reason or f"left behind by a labctl that died, ended by labctl {' '.join(sys.argv[1:2])}")
    display.say(f"ending {folder.path.name}, {cause}")
    if any(isinstance(event, StepStarted) for event in folder.events()):
        return carry_out(folder, lab, places, clock, display, give_up=cause)
    # it died while its lab was starting: nothing was routed, so there is no way to go back
    ended = Ended(at=clock.now(), outcome=Outcome.INTERRUPTED, exit_code=Interrupted.exit_code, reason=str(cause))
    folder.write(ended)
    _forget(lab, folder)
    return close(folder, ended)


def live_run(lab: "Lab") -> "RunFolder | None":
    """The run that a living labctl carries out; None if there is none."""
    return lab.run() if lab.holder() else None


def _unended(lab: "Lab") -> "RunFolder | None":
    """The run that was left behind. One that was killed after its end was written has nothing left to do but to be forgotten."""
    from strategies.events import Ended

    folder = lab.run()
    if folder is None or not any(isinstance(event, Ended) and not event.left for event in folder.events()):
        return folder
    _forget(lab, folder)
    return None


def _forget(lab: "Lab", folder: "RunFolder") -> None:
    """Nothing is left to do of a run."""
    if folder.run.owns_lab:
        lab.stop()
    else:
        lab.note_run(None)


def _first_open_step(folder: "RunFolder") -> int | None:
    """The first step of the plan whose end is not written; None if the run was on its way back."""
    from strategies.events import StepEnded, StepStarted

    events = folder.events()
    if any(isinstance(event, StepStarted) and event.way_back for event in events):
        return None
    return max((event.index + 1 for event in events if isinstance(event, StepEnded)), default=0)


def _way_back_of(folder: "RunFolder") -> "Ending | Interrupted":
    """How a run on its way back is to end: as it would have, had its labctl not died; a record that does not say tells of the death."""
    from strategies.events import ending_of

    return ending_of(folder.events()) or Interrupted("the run was on its way back when its labctl died")


def end_live_holder(lab: "Lab", clock: "SystemClock", display: "Display") -> bool:
    """Ask a live labctl to go back by itself; one that does not within its time is killed. False if it is on another machine."""
    from strategies.errors import NotReady
    from strategies.waiting import wait_until

    holder = lab.holder()
    if holder is None:
        return True
    if holder.pid is None:
        display.say(f"{holder.doing} cannot be asked from here; what it does is taken over")
        return False
    display.say(f"asking {holder.doing} (pid {holder.pid}) to end")
    with suppress(ProcessLookupError):
        os.kill(holder.pid, signal.SIGTERM)
        # a stopped process hears nothing until it is woken
        os.kill(holder.pid, signal.SIGCONT)
    try:
        wait_until(lambda: lab.holder() is None, timeout=HOLDER_DEADLINE, clock=clock, reason=lambda: "")
    except NotReady:
        display.say(f"pid {holder.pid} did not end within {HOLDER_DEADLINE:g} s and is killed")
        with suppress(ProcessLookupError):
            os.kill(holder.pid, signal.SIGKILL)
        wait_until(lambda: lab.holder() is None, timeout=5.0, clock=clock, reason=lambda: f"pid {holder.pid} survives SIGKILL")
    return True
