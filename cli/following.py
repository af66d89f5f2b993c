"""A run as its page follows it: whether somebody still carries it out, and what it does now, as a piece of that page."""

import time
from enum import StrEnum
from typing import NamedTuple

from cli.labs import Lab
from cli.picture import SPARK_SECONDS, Seen, served, sides
from impact import report
from impact.rundir import RunFolder
from impact.timeline import over
from impact.userlog import UserLog
from strategies.events import AnyEvent, StepStarted
from strategies.steering import Command


class State(StrEnum):
    """How it stands with a run."""

    STARTING = "starting"
    UNDER_WAY = "under way"
    PAUSED = "paused"
    DIED = "left behind"
    ENDED = "ended"


WORDS = {
    State.STARTING: "Starting: nothing has been done yet.",
    State.UNDER_WAY: "Under way.",
    State.PAUSED: "Paused: it stays where it is, and the candidate is judged on.",
    State.DIED: "The labctl that carried it out has died; stable serves on. `labctl resume` goes on with it, `labctl abort` ends it.",
    State.ENDED: "Ended.",
}


class Sight(NamedTuple):
    """One look at a run.

    Attributes:
        state: how it stands.
        phases: how many have begun.
        size: how much is written down of it, bytes.
        html: what it does now, as a piece of its page; empty once it has ended.
    """

    state: State
    phases: int
    size: int
    html: str


def state_of(folder: RunFolder, lab: Lab, events: tuple[AnyEvent, ...]) -> State:
    """How it stands with the run in `folder`, if `lab` is where it was begun.

    Raises:
        LabError: the lab cannot be asked.
    """
    if over(events):
        return State.ENDED
    holder, changing = lab.holder(), lab.run()
    if holder is None or (changing is not None and changing.path.resolve() != folder.path.resolve()):
        return State.DIED
    if not any(isinstance(event, StepStarted) for event in events):
        return State.STARTING
    return State.PAUSED if _last_word(folder) == Command.PAUSE else State.UNDER_WAY


class Following:
    """Looks at one run again and again; each look reads only what is new in the users' log."""

    def __init__(self, folder: RunFolder, lab: Lab) -> None:
        self._folder = folder
        self._lab = lab
        self._log = UserLog(folder.requests)
        self._seen = Seen()
        self._taken = 0

    def look(self) -> Sight:
        """The run as it is now.

        Raises:
            LabError: its record, the users' log or the lab cannot be read.
        """
        # asked before the events are read: what a labctl wrote before it let go is read for certain
        state = state_of(self._folder, self._lab, self._folder.events())
        events = self._folder.events()
        for event in events[self._taken :]:
            self._seen.take(event, self._folder.run.plan)
        self._taken = len(events)
        html = "" if state is State.ENDED else self._html(state)
        return Sight(state, len(self._seen.phases), _size(self._folder), html)

    def _html(self, state: State) -> str:
        self._log.poll()
        run, seen, now = self._folder.run, self._seen, time.time()
        both = sides(run, seen, self._log.requests, now)
        ends = [*(began for _, began in seen.phases[1:]), now]
        return report.render_now(
            words=WORDS[state],
            doing=seen.doing,
            seconds=max(0.0, now - run.started.timestamp()),
            phases=[(name, max(0.0, end - began)) for (name, began), end in zip(seen.phases, ends, strict=False)],
            sides=list(zip((run.stable, run.stable.other), both, strict=True)),
            most=max([1, *(rate for side in both for rate in side.rates)]),
            span=SPARK_SECONDS,
            served=None if run.plan.in_place else served(run, seen, self._log.requests, now),
            intended=None if run.plan.in_place else seen.weight,
            judgement=seen.judgement,
        )


def _size(folder: RunFolder) -> int:
    """How much is written down of the run, bytes."""
    return sum(path.stat().st_size for path in (*folder.path.glob("*.jsonl"), *folder.requests.glob("*.csv")))


def _last_word(folder: RunFolder) -> str:
    """What a person asked for last."""
    try:
        lines = folder.control.read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return ""
    return lines[-1] if lines else ""
