"""What the users met who were sent to one slot: counts and latencies."""

from collections.abc import Sequence

from impact import measures
from impact.figures import RoleFigures, Versions
from impact.sides import Sides
from impact.userlog import Request
from strategies.run import Run
from strategies.traffic import Slot


def role_figures(slot: Slot, version: str, requests: Sequence[Request], objective: float | None) -> RoleFigures:
    """The figures of those of `requests`, all of them charged to `slot`, that were sent."""
    own = [request for request in requests if request.sent is not None]
    return RoleFigures(
        slot=slot,
        version=version,
        requests=len(own),
        failed=sum(request.failed for request in own),
        slow=slow(own, objective),
        wrong=sum(request.wrong for request in own),
        p50_ms=measures.latency_percentile_ms(own, 0.50),
        p95_ms=measures.latency_percentile_ms(own, 0.95),
        p99_ms=measures.latency_percentile_ms(own, 0.99),
    )


def versions(run: Run, sides: Sides, sent: Sequence[Request], objective: float | None) -> Versions:
    """Those of both versions of the run, over all that was sent."""
    old, new = (sides.of(sent, slot, candidate=candidate) for slot, candidate in ((run.stable, False), (run.candidate, True)))
    return Versions(
        old=role_figures(run.stable, run.from_version, old, objective),
        new=role_figures(run.candidate, run.to_version, new, objective),
    )


def slow(requests: Sequence[Request], objective: float | None) -> int | None:
    """How many took longer than the objective (seconds); None without one."""
    return None if objective is None else sum(request.latency > objective for request in requests)
