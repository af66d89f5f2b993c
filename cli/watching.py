"""`labctl status --watch`: a rollout that another terminal started, as that one sees it; ends when it ends, with its exit code."""

from cli.settings import Settings
from strategies.errors import CouldNotRun, UsageError

LOOK_EVERY = 0.2
"""Seconds between two looks at a run's record."""
STARTING = 60.0
"""Seconds in which a labctl that has taken the lab over has begun its run."""


def watch(places: Settings) -> int:
    """Show the events of the rollout that runs as they are written; its exit code.

    Raises:
        UsageError: nothing runs.
        CouldNotRun: its labctl died meanwhile.
        Interrupted: the watcher was asked to end; the rollout goes on.
    """
    from cli.clock import SystemClock
    from cli.live import Display
    from cli.lock import held
    from cli.recovery import live_run, run_in_state
    from impact.userlog import UserLog
    from strategies.events import Ended, StepStarted
    from strategies.waiting import wait_until

    clock, display = SystemClock(), Display()
    with clock.listening():
        if held(places.home):
            # between the lock and the lab's note of the run there may be a lab to start or a dead run to end
            wait_until(
                lambda: run_in_state(places) is not None or not held(places.home),
                timeout=STARTING,
                clock=clock,
                every=LOOK_EVERY,
                reason=lambda: "what changes the lab is no rollout; `labctl status` names it",
            )
        folder = live_run(places)
        if folder is None:
            left = "; one was left behind, `labctl resume` or `labctl abort` ends it" if run_in_state(places) else ""
            raise UsageError(f"no rollout is under way, so there is nothing to watch{left}")
        display.say(f"{folder.path.name} is under way")
        shown = 0
        with display.showing(folder, UserLog(folder.requests), clock):
            while True:
                # asked before the events are read: what a labctl wrote before it let go is read for certain
                alive = held(places.home)
                events = folder.events()
                for event in events[shown:]:
                    display.show(event)
                shown = len(events)
                # one that was taken up again has an end in the middle of its record
                last = next((event for event in reversed(events) if isinstance(event, Ended | StepStarted)), None)
                if isinstance(last, Ended):
                    return last.exit_code
                if not alive:
                    raise CouldNotRun(f"the labctl of {folder.path.name} died; `labctl resume` goes on with it, `labctl abort` ends it")
                clock.sleep(LOOK_EVERY)
