"""A run's events as intervals: which phase was when, who was stable in it, how long the steps took.

All times are epoch seconds, as in the users' log, so that both can be joined.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import inf
from typing import NamedTuple

from strategies.events import AnyEvent, Ended, Looked, PhaseStarted, Settled, StepEnded, StepStarted
from strategies.judgement import Verdict
from strategies.plan import Analyse, Deploy, Drain, Promote, Replace, Replacement, Retire, Step, Subject
from strategies.run import Run
from strategies.traffic import Slot, Traffic

PROMOTED = "promoted"
HANDOVER = 1.0
"""Seconds within which a phase that begins after the promotion is taken to be the one that the promotion began."""


class Phase(NamedTuple):
    """A stretch of a run in which the shares that were asked for and the roles of the slots did not change.

    Attributes:
        start, end: epoch seconds.
        traffic: who is stable, and the intended weight of the other slot.
        settled: the moment from which the served share is measured; None if the share never settled.
        settle_seconds: how long that took since the change; None if nothing had to settle, or it never did.
    """

    name: str
    start: float
    end: float
    traffic: Traffic
    settled: float | None
    settle_seconds: float | None


class Span(NamedTuple):
    """A step from its start to its end; `end` is None if it never ended."""

    step: Step
    start: float
    end: float | None


def phases(run: Run, events: Sequence[AnyEvent], until: float) -> tuple[Phase, ...]:
    """The phases in order; the last one ends at `until`.

    The moment of promotion begins a phase of its own, since the roles change there.
    """
    starts = [(event.at.timestamp(), event.name, event.weight) for event in events if isinstance(event, PhaseStarted)]
    promoted = promotion(run, events)
    if promoted is not None:
        moment, _ = promoted
        before = [start for start in starts if start[0] < moment]
        after = starts[len(before) :]
        if after and after[0][0] - moment < HANDOVER:
            starts = [*before, (moment, *after[0][1:]), *after[1:]]
        else:
            starts = [*before, (moment, PROMOTED, 0), *after]
    changes = [event for event in events if isinstance(event, Settled)]
    found: list[Phase] = []
    share = 0
    back = min((event.at.timestamp() for event in events if isinstance(event, StepStarted) and event.way_back), default=inf)
    for (start, name, weight), (end, _, _) in pairwise([*starts, (until, "", 0)]):
        # whoever undoes a promotion gives the role back before anything else
        traffic = Traffic(stable=promoted[1] if promoted and promoted[0] <= start < back else run.stable, weight=weight)
        change = next((event for event in changes if start < event.at.timestamp() <= end), None)
        settled = change.at.timestamp() if change else start if traffic.percent(run.candidate) == share else None
        found.append(Phase(name, start, end, traffic, settled, change.seconds if change else None))
        share = traffic.percent(run.candidate)
    return tuple(found)


def promotion(run: Run, events: Sequence[AnyEvent]) -> tuple[float, Slot] | None:
    """When which slot became stable; None if nothing was promoted."""
    for step, _, end in spans(run, events):
        if isinstance(step, Promote) and end is not None:
            return end, step.slot
    return None


def experiment(run: Run, events: Sequence[AnyEvent]) -> tuple[float, float] | None:
    """From when to when an A/B test ran, once its shares had settled; None if none did. One that was begun again counts from there."""
    experiments = {index for index, step in enumerate(run.plan.steps) if isinstance(step, Analyse) and step.of is Subject.EXPERIMENT}
    begun = [event.at for event in events if isinstance(event, StepStarted) and event.index in experiments and not event.way_back]
    if not begun:
        return None
    ends = (event.at.timestamp() for event in events if isinstance(event, StepStarted | Ended) and event.at > begun[-1])
    return begun[-1].timestamp(), min(ends, default=inf)


def went_back_at(events: Sequence[AnyEvent]) -> float | None:
    """When the verdict fell that led back to stable, or else when the way back began; None if nothing went back."""
    looked: Looked | None = None
    for event in events:
        match event:
            case Looked():
                looked = event
            case StepStarted(way_back=True):
                verdict = looked is not None and looked.judgement.verdict in {Verdict.FAIL, Verdict.ERROR}
                return (looked if looked is not None and verdict else event).at.timestamp()
            case _:
                pass
    return None


def drain_seconds(run: Run, events: Sequence[AnyEvent]) -> float | None:
    """How long the drains took that ended; None if none did."""
    drains = [span.end - span.start for span in spans(run, events) if isinstance(span.step, Drain) and span.end is not None]
    return sum(drains) if drains else None


def extra_pod_seconds(run: Run, events: Sequence[AnyEvent], until: float) -> float:
    """Replica-seconds paid for beyond the `run.plan.replicas` that all the traffic needs, up to `until`."""
    return sum(max(0, count - run.plan.replicas) * (end - start) for start, end, count in replicas(run, events, until))


def peak_replicas(run: Run, events: Sequence[AnyEvent], until: float) -> int:
    """The most replicas of both slots together that there were at once, up to `until`."""
    return max((count for start, end, count in replicas(run, events, until) if end > start), default=0)


def replicas(run: Run, events: Sequence[AnyEvent], until: float) -> Iterator[tuple[float, float, int]]:
    """How many replicas both slots had together: (start, end, count), one after the other from the run's start to `until`.

    Stable is taken to begin with what the plan says was there before, the candidate with none. New replicas count from the start of
    the step that deploys them, since they use the machine before they are ready; old ones count until the end of the
    step that takes them away.
    """
    running = dict.fromkeys(Slot, 0)
    running[run.stable] = run.plan.before.replicas if run.plan.before else run.plan.replicas
    changes: list[tuple[float, Slot, int]] = []
    asked = dict(running)
    for step, start, end in spans(run, events):
        match step:
            case Deploy(slot, release):
                changes.append((start if release.replicas > asked[slot] else end or until, slot, release.replicas))
                asked[slot] = release.replicas
            case Replace(slot, release, how, surge):
                if how is Replacement.ROLLING:
                    changes.append((start, slot, release.replicas + surge))
                changes.append((end or until, slot, release.replicas))
                asked[slot] = release.replicas
            case Retire(slot):
                changes.append((end or until, slot, 0))
                asked[slot] = 0
            case _:
                pass
    since = run.started.timestamp()
    for at, slot, count in [*changes, (until, run.stable, 0)]:
        yield since, max(since, at), sum(running.values())
        running[slot], since = count, max(since, at)


def ended(events: Sequence[AnyEvent]) -> Ended | None:
    """How the run ended; None if it was killed. A run that is taken up again may end more than once: the last one counts."""
    return next((event for event in reversed(events) if isinstance(event, Ended)), None)


def over(events: Sequence[AnyEvent]) -> Ended | None:
    """How the run ended, if it is over; None while it is carried out, also again after an end in the middle of its record."""
    last = next((event for event in reversed(events) if isinstance(event, Ended | StepStarted)), None)
    return last if isinstance(last, Ended) else None


def spans(run: Run, events: Sequence[AnyEvent]) -> Iterator[Span]:
    """The steps in the order in which they began. A step that was tried again is one, from its first start to its end."""
    began: dict[tuple[int, bool], float] = {}
    done: dict[tuple[int, bool], float] = {}
    for event in events:
        match event:
            case StepStarted(at=at, index=index, way_back=way_back):
                began.setdefault((index, way_back), at.timestamp())
            case StepEnded(at=at, index=index, way_back=way_back):
                done[index, way_back] = at.timestamp()
            case _:
                pass
    for (index, way_back), start in began.items():
        steps = run.plan.way_back if way_back else run.plan.steps
        yield Span(steps[index], start, done.get((index, way_back)))
