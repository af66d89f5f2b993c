"""`labctl status --watch`: a rollout that another terminal started, as that one sees it; ends when it ends, with its exit code."""

from cli.labs import Lab
from strategies.errors import CouldNotRun, UsageError

LOOK_EVERY = 0.5
"""Seconds between two looks at a run's record."""
STARTING = 60.0
"""Seconds in which a labctl that has taken the lab over has begun its run."""


def watch(lab: Lab) -> int:
    """Show the events of the rollout that runs as they are written; its exit code.

    Raises:
        UsageError: nothing runs.
        CouldNotRun: its labctl died meanwhile.
        Interrupted: the watcher was asked to end; the rollout goes on.
    """
    from cli.clock import SystemClock
    from cli.live import Display
    from impact.timeline import over
    from impact.userlog import UserLog
    from strategies.waiting import wait_until

    clock, display = SystemClock(), Display()
    with clock.listening():
        if lab.holder():
            # between the lock and the lab's note of the run there may be a lab to start or a dead run to end
            wait_until(
                lambda: lab.run() is not None or lab.holder() is None,
                timeout=STARTING,
                clock=clock,
                every=LOOK_EVERY,
                reason=lambda: "what changes the lab is no rollout; `labctl status` names it",
            )
        folder = lab.run()
        if folder is None or lab.holder() is None:
            left = "; one was left behind, `labctl resume` or `labctl abort` ends it" if folder else ""
            raise UsageError(f"no rollout is under way, so there is nothing to watch{left}")
        display.say(f"{folder.path.name} is under way")
        shown = 0
        with display.showing(folder, UserLog(folder.requests), clock):
            while True:
                # asked before the events are read: what a labctl wrote before it let go is read for certain
                alive = lab.holder() is not None
                # one that runs elsewhere is known by what the lab keeps of it
                folder = lab.now(folder)
                events = folder.events()
                for event in events[shown:]:
                    display.show(event)
                shown = len(events)
                if end := over(events):
                    return end.exit_code
                if not alive:
                    raise CouldNotRun(f"the labctl of {folder.path.name} died; `labctl resume` goes on with it, `labctl abort` ends it")
                clock.sleep(LOOK_EVERY)
