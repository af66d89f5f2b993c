"""A run as its page follows it: whether somebody still carries it out, and what it does now, as a piece of that page."""

import time
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple

from cli.onlookers import Onlookers
from cli.picture import SPARK_SECONDS, Seen, served, sides
from impact import difference, report, wording
from impact.rundir import RunFolder
from impact.timeline import over
from impact.userlog import UserLog
from strategies.errors import LabError
from strategies.events import AnyEvent, StepStarted
from strategies.steering import paused


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
    State.DIED: "The labctl that carried it out has died; stable serves on. `labctl resume` goes on with it, abort ends it.",
    State.ENDED: "Ended.",
}


class Sight(NamedTuple):
    """One look at a run.

    Attributes:
        state: how it stands.
        phases: how many have begun.
        size: how much is written down of it, bytes.
        headline: what is tried, and where it is.
        html: what it does now, as a piece of its page; empty once it has ended.
    """

    state: State
    phases: int
    size: int
    headline: str
    html: str


class Stand(NamedTuple):
    """How it stands with a run.

    Attributes:
        state: the same in a word.
        events: what was written down of it when it stood so.
        elsewhere: what was typed on which other machine, if it is carried out there.
    """

    state: State
    events: tuple[AnyEvent, ...]
    elsewhere: str = ""


def stand(folder: RunFolder, lab: Onlookers) -> Stand:
    """How it stands with the run in `folder`, if `lab` is where it was begun.

    Raises:
        LabError: the record cannot be read, or the lab cannot be asked.
    """
    if over(events := folder.events()):
        return Stand(State.ENDED, events)
    # asked before the events are read: what a labctl wrote before it let go is read for certain
    standing = lab.standing()
    events = lab.now(folder).events()
    holder = standing.holder
    elsewhere = holder.doing if holder and holder.pid is None else ""
    if over(events):
        return Stand(State.ENDED, events)
    if holder is None or standing.run not in {None, folder.path.resolve()}:
        return Stand(State.DIED, events)
    if not any(isinstance(event, StepStarted) for event in events):
        return Stand(State.STARTING, events, elsewhere)
    return Stand(State.PAUSED if paused(events) else State.UNDER_WAY, events, elsewhere)


class Following:
    """Looks at one run again and again; each look reads only what is new in the users' log."""

    def __init__(self, folder: RunFolder, lab: Onlookers) -> None:
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
        found = self._found()
        html = "" if found.state is State.ENDED else self._html(found)
        return Sight(found.state, len(self._seen.phases), _size(self._folder), self._said(found.state), html)

    def headline(self) -> str:
        """The same in a line, also where the lab cannot be asked."""
        try:
            return self._said(self._found().state)
        except LabError as error:
            return f"{wording.tried(self._folder.run)}: {error}"

    def _found(self) -> Stand:
        found = stand(self._folder, self._lab)
        for event in found.events[self._taken :]:
            self._seen.take(event, self._folder.run.plan)
        self._taken = len(found.events)
        return found

    def _said(self, state: State) -> str:
        """What is tried, in which step it is, and since when."""
        doing = "" if not self._seen.doing or state is State.ENDED else f" in “{self._seen.doing}”, {_since(self._seen.doing_since)}"
        return f"{wording.tried(self._folder.run)}, {state}{doing}"

    def _html(self, found: Stand) -> str:
        self._log.poll()
        run, seen, now = self._folder.run, self._seen, time.time()
        both = sides(run, seen, self._log.requests, now)
        ends = [*(began for _, began in seen.phases[1:]), now]
        return report.render_now(
            words=WORDS[found.state],
            elsewhere=found.elsewhere,
            doing=seen.doing,
            seconds=max(0.0, now - run.started.timestamp()),
            phases=[(name, max(0.0, end - began)) for (name, began), end in zip(seen.phases, ends, strict=False)],
            # where no request is known, zeros would be told of users whom nobody here has seen
            sides=list(zip((run.stable, run.stable.other), both, strict=True)) if self._log.requests else [],
            most=max([1, *(rate for side in both for rate in side.rates)]),
            span=SPARK_SECONDS,
            served=None if run.plan.in_place else served(run, seen, self._log.requests, now),
            intended=None if run.plan.in_place else seen.weight,
            judgement=seen.judgement,
            candidate=run.candidate,
            difference=difference.found(seen.judgement) if seen.judgement else None,
        )


def _since(began: float) -> str:
    return f"which began at {datetime.fromtimestamp(began, UTC):%H:%M:%S} UTC"


def _size(folder: RunFolder) -> int:
    """How much is written down of the run, bytes."""
    return sum(path.stat().st_size for path in (*folder.path.glob("*.jsonl"), *folder.requests.glob("*.csv")))
