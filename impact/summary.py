"""`summary.json`: what a run did to the users, in numbers. Pure: from the run's record and the users' log, nothing else."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from math import inf

import msgspec

from impact import measures, timeline
from impact.figures import Environment, Finding, Generator, MetricVerdict, PhaseFigures, RoleFigures, Roles, Totals, WitnessCounts
from impact.sides import Sides
from impact.userlog import Request
from strategies.events import AnyEvent, Looked, Noted, ObjectiveSet, Outcome, PhaseStarted, StepStarted, Witnessed
from strategies.run import Run
from strategies.traffic import Slot

GENERATOR_LATE_MS = 10.0
"""From this p99 of the generator's lateness on, a reader is told that the latencies include it."""


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What a run did to the users.

    Attributes:
        id: the run.
        strategy: the strategy's name.
        platform: where the rollout happened.
        from_version: the version that was stable at the start.
        to_version: the version that was rolled out.
        outcome: how the run ended; null if it did not (it runs still, or was killed).
        exit_code: 0 promoted or completed, 1 rolled back, 3 could not run or could not tell, 130 interrupted; null without an outcome.
        reason: why it ended so, in a sentence.
        left: what is still to be done, empty if nothing is.
        started: when the run began.
        ended: when it ended; null if it did not.
        objective_seconds: requests slower than this count as slow; null if it was never known.
        phases: the phases in order.
        totals: over the whole run.
        verdicts: what each analysis said at its last look, by metric.
        findings: what else each analysis measured, such as an A/B test's difference or a shadow's class flips.
        rollback_seconds: from the verdict (without one: from the start of the way back) to the send time of the last request charged to
            the candidate; 0 if none was sent later, null if nothing was rolled back.
        harm_seconds: as rollback_seconds, but to the last request that was charged to the candidate or that nobody answered: in place the
            way back has a gap too, which is as bad for its users as the bad version.
        drain_seconds: how long draining took; null if nothing was drained.
        first_candidate_answer_seconds: from the start of the run to the send time of the first request that the candidate answered;
            null without one.
        extra_pod_seconds: replica-seconds beyond the replicas that all the traffic needs.
        prometheus: the second witness's counts beside the users' own.
        generator: how well the load generator kept to its schedule.
        notes: what else a reader must know.
        environment: where it was measured, and how to repeat it.
    """

    id: str
    strategy: str
    platform: str
    from_version: str = msgspec.field(name="from")
    to_version: str = msgspec.field(name="to")
    outcome: Outcome | None
    exit_code: int | None
    reason: str
    left: str
    started: datetime
    ended: datetime | None
    objective_seconds: float | None
    phases: tuple[PhaseFigures, ...]
    totals: Totals
    verdicts: tuple[MetricVerdict, ...]
    findings: tuple[Finding, ...]
    rollback_seconds: float | None
    harm_seconds: float | None
    drain_seconds: float | None
    first_candidate_answer_seconds: float | None
    extra_pod_seconds: float
    prometheus: tuple[WitnessCounts, ...]
    generator: Generator
    notes: tuple[str, ...]
    environment: Environment


def summarise(run: Run, events: Sequence[AnyEvent], requests: Sequence[Request], environment: Environment) -> Summary:
    """The summary of a run as far as it went: one that was killed has no outcome, and its last phase ends with what is known last."""
    sent = sorted((request for request in requests if request.sent is not None), key=_sent)
    ended = timeline.ended(events)
    known = [run.started.timestamp(), *(event.at.timestamp() for event in events), *(_sent(request) for request in sent[-1:])]
    until = ended.at.timestamp() if ended else max(known)
    objective = next((event.seconds for event in reversed(events) if isinstance(event, ObjectiveSet)), None)
    sides = Sides(run)
    first = next((_sent(request) for request in sent if sides.is_candidate(request) and request.version), None)
    return Summary(
        id=run.id,
        strategy=run.plan.strategy,
        platform=run.platform,
        from_version=run.from_version,
        to_version=run.to_version,
        outcome=ended.outcome if ended else None,
        exit_code=ended.exit_code if ended else None,
        reason=ended.reason if ended else "the run has not ended, or was killed",
        left=ended.left if ended else "",
        started=run.started,
        ended=ended.at if ended else None,
        objective_seconds=objective,
        phases=_phases(run, timeline.phases(run, events, until), sent, objective),
        totals=_totals(sides, requests, sent, objective, timeline.experiment(run, events)),
        verdicts=_verdicts(events),
        findings=tuple(Finding(phase=phase, facts=look.judgement.facts) for phase, look in _last_looks(events) if look.judgement.facts),
        rollback_seconds=_back_seconds(events, sent, sides.is_candidate),
        harm_seconds=_back_seconds(events, sent, lambda request: sides.is_candidate(request) or sides.is_unattributed(request)),
        drain_seconds=timeline.drain_seconds(run, events),
        first_candidate_answer_seconds=None if first is None else first - run.started.timestamp(),
        extra_pod_seconds=timeline.extra_pod_seconds(run, events, until),
        prometheus=tuple(
            WitnessCounts(at=event.at, prometheus=event.prometheus, users=event.users, copies=event.copies)
            for event in events
            if isinstance(event, Witnessed)
        ),
        generator=_generator(requests, sent),
        notes=tuple(event.text for event in events if isinstance(event, Noted)),
        environment=environment,
    )


def role_figures(slot: Slot, version: str, requests: Sequence[Request], objective: float | None) -> RoleFigures:
    """The figures of those of `requests`, all of them charged to `slot`, that were sent."""
    own = [request for request in requests if request.sent is not None]
    return RoleFigures(
        slot=slot,
        version=version,
        requests=len(own),
        failed=sum(request.failed for request in own),
        slow=_slow(own, objective),
        wrong=sum(request.wrong for request in own),
        p50_ms=measures.latency_percentile_ms(own, 0.50),
        p95_ms=measures.latency_percentile_ms(own, 0.95),
        p99_ms=measures.latency_percentile_ms(own, 0.99),
    )


def _phases(run: Run, phases: Sequence[timeline.Phase], sent: Sequence[Request], objective: float | None) -> tuple[PhaseFigures, ...]:
    members: list[list[Request]] = [[] for _ in phases]
    starts = [phase.start for phase in phases]
    for request in sent:
        index = bisect_right(starts, _sent(request)) - 1
        if index >= 0 and _sent(request) < phases[-1].end:
            members[index].append(request)
    return tuple(_phase(run, phase, own, objective) for phase, own in zip(phases, members, strict=True))


def _phase(run: Run, phase: timeline.Phase, requests: Sequence[Request], objective: float | None) -> PhaseFigures:
    settled = [
        request for request in requests if phase.settled is not None and _sent(request) >= phase.settled and request.slot is not None
    ]
    candidate = sum(request.slot is phase.traffic.candidate for request in settled)
    stable = phase.traffic.stable
    sides = Sides(run)
    old = stable is run.stable
    versions = (run.from_version, run.to_version) if old else (run.to_version, run.from_version)
    other = run.candidate if old else run.stable
    return PhaseFigures(
        name=phase.name,
        started=datetime.fromtimestamp(phase.start, UTC),
        seconds=phase.end - phase.start,
        intended_weight=phase.traffic.weight,
        served_weight=round(100 * candidate / len(settled), 2) if settled and not run.plan.in_place else None,
        settle_seconds=phase.settle_seconds,
        unattributed=sum(sides.is_unattributed(request) for request in requests),
        roles=Roles(
            stable=role_figures(stable, versions[0], sides.of(requests, stable, candidate=False), objective),
            candidate=role_figures(other, versions[1], sides.of(requests, other, candidate=True), objective),
        ),
    )


def _totals(
    sides: Sides,
    requests: Sequence[Request],
    sent: Sequence[Request],
    objective: float | None,
    experiment: tuple[float, float] | None,
) -> Totals:
    begin, end = experiment or (-inf, inf)
    wrong = [request for request in sent if request.wrong and sides.is_candidate(request)]
    return Totals(
        requests=len(sent),
        failed=sum(request.failed for request in sent),
        unattributed=sum(sides.is_unattributed(request) for request in sent),
        slow=_slow(sent, objective),
        wrong=sum(request.wrong for request in sent),
        unsent=len(requests) - len(sent),
        downtime_seconds=measures.downtime(sent),
        users=len({request.user for request in sent}),
        users_met_both=measures.users_met_both([request for request in sent if begin <= _sent(request) < end]),
        users_met_bad=len({request.user for request in sent if request.failed or request.wrong}),
        wrong_of_candidate=len(wrong),
        users_harmed=len({request.user for request in sent if request.failed} | {request.user for request in wrong}),
        intended_rate=measures.rate(request.intended for request in requests),
        achieved_rate=measures.rate(_sent(request) for request in sent),
    )


def _slow(requests: Sequence[Request], objective: float | None) -> int | None:
    return None if objective is None else sum(request.latency > objective for request in requests)


def _last_looks(events: Sequence[AnyEvent]) -> tuple[tuple[str, Looked], ...]:
    """The last look within each step that looked and had something to tell, with its phase."""
    last: dict[int, tuple[str, Looked]] = {}
    step, phase = 0, ""
    for event in events:
        match event:
            case StepStarted():
                step += 1
            case PhaseStarted(name=name):
                phase = name
            case Looked() if event.judgement.metrics or event.judgement.facts:
                last[step] = (phase, event)
            case _:
                pass
    return tuple(last.values())


def _verdicts(events: Sequence[AnyEvent]) -> tuple[MetricVerdict, ...]:
    """The metrics of those looks."""
    return tuple(
        MetricVerdict(phase=phase, at=look.at, **{field: getattr(metric, field) for field in metric.__struct_fields__})
        for phase, look in _last_looks(events)
        for metric in look.judgement.metrics
    )


def _back_seconds(events: Sequence[AnyEvent], sent: Sequence[Request], bad: Callable[[Request], bool]) -> float | None:
    """From the verdict to the last one of the `bad` requests."""
    back = timeline.went_back_at(events)
    return None if back is None else max([0.0, *(_sent(request) - back for request in sent if bad(request))])


def _generator(requests: Sequence[Request], sent: Sequence[Request]) -> Generator:
    late = measures.percentile(measures.lateness(sent), 0.99)
    unsent = len(requests) - len(sent)
    warnings = []
    if late is not None and late * 1000 > GENERATOR_LATE_MS:
        warnings.append(
            f"The load generator itself was late: one request in a hundred left more than {late * 1000:.0f} ms after its time, "
            "and the latencies include that."
        )
    if unsent:
        warnings.append(f"{unsent} {'request was' if unsent == 1 else 'requests were'} never sent, because too many were in flight.")
    return Generator(lateness_p99_ms=None if late is None else round(late * 1000, 3), warning=" ".join(warnings))


def _sent(request: Request) -> float:
    return request.sent or 0.0
