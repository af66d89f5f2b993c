"""What one run cost, in the measures that strategies are compared by. Pure: from the run's record and the users' log."""

from collections.abc import Sequence

import msgspec

from impact import measures, timeline
from impact.summary import Summary
from impact.userlog import Request
from strategies.events import AnyEvent, Metered, Outcome
from strategies.plan import Baseline, Deploy, Replace, Retire, Route
from strategies.run import Run
from strategies.traffic import Slot


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """One run's costs. What was not observed is null, never zero.

    Attributes:
        run: the run's id.
        outcome: how it ended; null if it did not.
        reason: why it ended so.
        downtime_seconds: the longest time in which every request failed.
        failed: requests that got anything but a 2xx.
        p95_ratio: p95 of the answers' latency after the baseline, as a multiple of the baseline's own.
        p99_ratio: as p95_ratio.
        users_harmed: users who got a failed request, or a wrong answer of the version that was rolled out.
        wrong_of_candidate: wrong answers that the version that was rolled out gave to users.
        extra_pod_seconds: replica-seconds beyond the replicas that all the traffic needs.
        extra_cpu_seconds: CPU-seconds of the servers beyond what they would have used had the baseline gone on.
        peak_replicas: the most replicas that there were at once.
        promote_seconds: from the end of the baseline to the promotion; null without one.
        harm_seconds: from the verdict to the send time of the last request that the bad version got or that nobody answered; null if
            nothing was rolled back.
        changes: changes of routes that were written, replicas that were started and replicas that were ended.
    """

    run: str
    outcome: Outcome | None
    reason: str
    downtime_seconds: float | None
    failed: int
    p95_ratio: float | None
    p99_ratio: float | None
    users_harmed: int
    wrong_of_candidate: int
    extra_pod_seconds: float
    extra_cpu_seconds: float | None
    peak_replicas: int
    promote_seconds: float | None
    harm_seconds: float | None
    changes: int


def costs(run: Run, events: Sequence[AnyEvent], requests: Sequence[Request], summary: Summary) -> Costs:
    """The costs of a run that has a summary; what the summary has is taken from it, so that both agree."""
    sent = [request for request in requests if request.sent is not None]
    until = (summary.ended or summary.started).timestamp()
    p95, p99 = (_ratio(run, events, sent, q) for q in (0.95, 0.99))
    return Costs(
        run=run.id,
        outcome=summary.outcome,
        reason=summary.reason,
        downtime_seconds=summary.totals.downtime_seconds if sent else None,
        failed=summary.totals.failed,
        p95_ratio=p95,
        p99_ratio=p99,
        users_harmed=summary.totals.users_harmed,
        wrong_of_candidate=summary.totals.wrong_of_candidate,
        extra_pod_seconds=round(summary.extra_pod_seconds, 3),
        extra_cpu_seconds=_extra_cpu_seconds(events),
        peak_replicas=timeline.peak_replicas(run, events, until),
        promote_seconds=_promote_seconds(run, events),
        harm_seconds=None if summary.harm_seconds is None else round(summary.harm_seconds, 3),
        changes=_changes(run, events),
    )


def _baseline(run: Run, events: Sequence[AnyEvent]) -> timeline.Span | None:
    return next((span for span in timeline.spans(run, events) if isinstance(span.step, Baseline)), None)


def _ratio(run: Run, events: Sequence[AnyEvent], sent: Sequence[Request], q: float) -> float | None:
    baseline = _baseline(run, events)
    if baseline is None or baseline.end is None:
        return None
    end = baseline.end
    before = measures.latency_percentile_ms((request for request in sent if baseline.start <= (request.sent or 0.0) < end), q)
    during = measures.latency_percentile_ms((request for request in sent if (request.sent or 0.0) >= end), q)
    return round(during / before, 3) if before and during else None


def _extra_cpu_seconds(events: Sequence[AnyEvent]) -> float | None:
    metered = next((event for event in reversed(events) if isinstance(event, Metered)), None)
    return None if metered is None else round(metered.cpu_seconds - metered.steady_cpu_seconds, 3)


def _promote_seconds(run: Run, events: Sequence[AnyEvent]) -> float | None:
    baseline, promotion = _baseline(run, events), timeline.promotion(run, events)
    return round(promotion[0] - baseline.end, 3) if baseline and baseline.end and promotion else None


def _changes(run: Run, events: Sequence[AnyEvent]) -> int:
    running = dict.fromkeys(Slot, 0)
    running[run.stable] = run.plan.before.replicas if run.plan.before else run.plan.replicas
    changes = 0
    for step, _, _ in timeline.spans(run, events):
        match step:
            case Route():
                changes += 1
            case Deploy(slot, release):
                changes += abs(release.replicas - running[slot])
                running[slot] = release.replicas
            case Replace(slot, release):
                changes += running[slot] + release.replicas
                running[slot] = release.replicas
            case Retire(slot):
                changes += running[slot]
                running[slot] = 0
            case _:
                pass
    return changes
