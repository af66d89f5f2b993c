"""`labctl resume` and `labctl abort`: what to do with a run whose labctl died, or that is to end now."""

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.settings import Settings, settings
from cli.steering import ask
from strategies.errors import Interrupted, UsageError
from strategies.steering import Command

if TYPE_CHECKING:
    from cli.clock import SystemClock
    from cli.live import Display
    from impact.rundir import RunFolder
    from impact.summary import Summary

HOLDER_DEADLINE = 90.0
"""Seconds that a live labctl has for its own way back before it is killed and its run is ended for it."""

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, the rest on stderr.")]


def resume(as_json: Json = False) -> None:
    """Go on with a paused rollout, or with one whose labctl died, from the step that it was in."""
    from cli.clock import SystemClock
    from cli.live import Display
    from cli.lock import exclusive
    from cli.reports import show
    from cli.session import carry_out

    places, clock, display = settings(), SystemClock(), Display()
    clock.say = display.say
    if live_run(places):
        ask(Command.RESUME)
        print("asked to go on as planned")
        return
    with clock.listening(), exclusive(places.home, "labctl resume"):
        folder = _unended(places, clock)
        if folder is None:
            raise UsageError("no rollout was left behind, so there is nothing to resume; `labctl runs` lists what was")
        first = _first_open_step(folder)
        give_up = Interrupted("the run was on its way back when its labctl died") if first is None else None
        summary = carry_out(folder, places, clock, display, first=first or 0, give_up=give_up)
    show(folder, summary, as_json=as_json)
    raise typer.Exit(3 if summary.exit_code is None else summary.exit_code)


def abort(as_json: Json = False) -> None:
    """End a rollout, live or left behind: back to stable before promotion, on to its end after it."""
    from cli.clock import SystemClock
    from cli.live import Display
    from cli.lock import exclusive
    from cli.reports import show
    from cli.session import close
    from impact.rundir import RunFolder

    places, clock, display = settings(), SystemClock(), Display()
    clock.say = display.say
    with clock.listening():
        folder = run_in_state(places)
        if folder is None:
            raise UsageError("no rollout is under way or was left behind, so there is nothing to abort")
        end_live_holder(places, clock, display)
        with exclusive(places.home, "labctl abort"):
            # a live one has ended by itself; what is still named was left behind
            end_dead_run(places, clock, display, reason="labctl abort")
    summary = close(RunFolder.open(folder.path))
    show(folder, summary, as_json=as_json)
    raise typer.Exit(3 if summary.left or summary.outcome is None else 0)


def end_dead_run(places: Settings, clock: "SystemClock", display: "Display", reason: str = "") -> "Summary | None":
    """End what a dead labctl left behind, naming it; the caller holds the lock or has waited for it. None if nothing was left."""
    from cli.session import carry_out, close
    from platforms.local import lab as local
    from strategies.events import Ended, Outcome, StepStarted

    folder = _unended(places, clock)
    if folder is None:
        return None
    cause = Interrupted(reason or f"left behind by a labctl that died, ended by labctl {' '.join(sys.argv[1:2])}")
    display.say(f"ending {folder.path.name}, {cause}")
    if any(isinstance(event, StepStarted) for event in folder.events()):
        return carry_out(folder, places, clock, display, give_up=cause)
    # it died while its lab was starting: nothing was routed, so there is no way to go back
    ended = Ended(at=clock.now(), outcome=Outcome.INTERRUPTED, exit_code=Interrupted.exit_code, reason=str(cause))
    folder.write(ended)
    if folder.run.owns_lab:
        local.stop(places.home, clock=clock)
    else:
        local.note_run(places.home, "")
    return close(folder, ended)


def live_run(places: Settings) -> "RunFolder | None":
    """The run that a living labctl carries out; None if there is none."""
    from cli.lock import held

    return run_in_state(places) if held(places.home) else None


def run_in_state(places: Settings) -> "RunFolder | None":
    """The run that the state file names: alive while somebody holds the lock, else left behind."""
    from impact.rundir import RunFolder
    from platforms.local.state import StateFile

    lab = StateFile(places.home).read()
    return RunFolder.open(Path(lab.run)) if lab and lab.run else None


def _unended(places: Settings, clock: "SystemClock") -> "RunFolder | None":
    """The run that was left behind. One that was killed after its end was written has nothing left to do but to be forgotten."""
    from platforms.local import lab as local
    from strategies.events import Ended

    folder = run_in_state(places)
    if folder is None or not any(isinstance(event, Ended) and not event.left for event in folder.events()):
        return folder
    if folder.run.owns_lab:
        local.stop(places.home, clock=clock)
    else:
        local.note_run(places.home, "")
    return None


def _first_open_step(folder: "RunFolder") -> int | None:
    """The first step of the plan whose end is not written; None if the run was on its way back."""
    from strategies.events import StepEnded, StepStarted

    events = folder.events()
    if any(isinstance(event, StepStarted) and event.way_back for event in events):
        return None
    return max((event.index + 1 for event in events if isinstance(event, StepEnded)), default=0)


def end_live_holder(places: Settings, clock: "SystemClock", display: "Display") -> None:
    """Ask a live labctl to go back by itself; one that does not within its time is killed, and its lock is free then."""
    from cli.lock import held, read_holder
    from strategies.errors import NotReady
    from strategies.waiting import wait_until

    holder = read_holder(places.home)
    if not held(places.home) or holder is None:
        return
    display.say(f"asking {holder.doing} (pid {holder.pid}) to end")
    with suppress(ProcessLookupError):
        os.kill(holder.pid, signal.SIGTERM)
        # a stopped process hears nothing until it is woken
        os.kill(holder.pid, signal.SIGCONT)
    try:
        wait_until(lambda: not held(places.home), timeout=HOLDER_DEADLINE, clock=clock, reason=lambda: "")
    except NotReady:
        display.say(f"pid {holder.pid} did not end within {HOLDER_DEADLINE:g} s and is killed")
        with suppress(ProcessLookupError):
            os.kill(holder.pid, signal.SIGKILL)
        wait_until(lambda: not held(places.home), timeout=5.0, clock=clock, reason=lambda: f"pid {holder.pid} survives SIGKILL")
