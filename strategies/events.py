"""What happens during a run, one frozen value per line of `events.jsonl`: enough to resume, to undo and to report.

Every event has `at`, the UTC time with microseconds. They are written (fsync) before the next thing is done.
"""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

import msgspec

from strategies.judgement import Count, Judgement


class Outcome(StrEnum):
    """How a run ended."""

    PROMOTED = "promoted"
    COMPLETED = "completed"
    ROLLED_BACK = "rolled_back"
    INCONCLUSIVE = "inconclusive"
    ERROR = "error"
    INTERRUPTED = "interrupted"


class Event(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Something that happened at a time."""

    at: datetime


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """How a run is to end, and why."""

    outcome: Outcome
    exit_code: int
    reason: str


class StepStarted(Event, frozen=True, kw_only=True):
    """The step `index` of the plan (of its way back, if `way_back`) is about to begin.

    `ending` is how the run ends once the way back is done, so that whoever goes on with it after a crash reaches the same end.
    """

    index: int
    title: str
    way_back: bool = False
    ending: Ending | None = None


class StepEnded(Event, frozen=True, kw_only=True):
    """The step `index` is true now."""

    index: int
    way_back: bool = False


class PhaseStarted(Event, frozen=True, kw_only=True):
    """From here on users live in another phase, with this intended candidate weight (whole percents)."""

    name: str
    weight: int


class ObjectiveSet(Event, frozen=True, kw_only=True):
    """Requests slower than `seconds` count as slow in this run; `source` says where the number is from."""

    seconds: float
    source: str


class Settled(Event, frozen=True, kw_only=True):
    """The answers since the change of routes fit the new weight and exclude the old one.

    `seconds` since the routes were written; `candidate` of all `answers` (users' and `probes` of our own) came from the candidate.
    """

    weight: int
    seconds: float
    candidate: int
    answers: int
    probes: int


class Looked(Event, frozen=True, kw_only=True):
    """A look at the counts during an analysis, with what it said."""

    judgement: Judgement


class Witnessed(Event, frozen=True, kw_only=True):
    """What Prometheus counted during an analysis, failed requests of all by slot, beside the users' own counts.

    `copies` are those of users' requests, which no user knows, by the slot that got them.
    """

    prometheus: dict[str, Count]
    users: dict[str, Count]
    copies: dict[str, Count] = {}


class Metered(Event, frozen=True, kw_only=True):
    """What the servers used from the end of the baseline to the end of the run, by their own meters.

    `cpu_seconds` of all replicas, starting included; `steady_cpu_seconds` would have been used had the baseline gone on.
    """

    cpu_seconds: float
    steady_cpu_seconds: float


class Noted(Event, frozen=True, kw_only=True):
    """Something a reader of the record must know, in a sentence."""

    text: str


class Ended(Event, frozen=True, kw_only=True):
    """The run is over. `left` says what is still to be done, if anything."""

    outcome: Outcome
    exit_code: int
    reason: str
    left: str = ""


AnyEvent = StepStarted | StepEnded | PhaseStarted | ObjectiveSet | Settled | Looked | Witnessed | Metered | Noted | Ended


def ending_of(events: Iterable[AnyEvent]) -> Ending | None:
    """How a run with these events, which is on its way back, is to end; None if they do not say."""
    endings = [event.ending for event in events if isinstance(event, StepStarted) and event.way_back]
    return endings[-1] if endings else None
