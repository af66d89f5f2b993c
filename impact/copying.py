"""What a shadow costs the users: their own latencies before and while their requests were copied, and how that is named.

The copies take processor time from the servers that users wait for. Nobody gets their answers, so this is all that users feel.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from impact.figures import Finding
from impact.measures import latency_percentile_ms
from impact.userlog import Request
from strategies.judgement import Fact

SHARES = (0.50, 0.95, 0.99)


class Felt(NamedTuple):
    """One percentile of the users' latency, in milliseconds from the intended time."""

    percentile: str
    before: float
    copied: float


def facts(before: Sequence[Request], copied: Sequence[Request]) -> dict[str, Fact]:
    """The percentiles of the users' requests before and while they were copied; None where nothing was answered."""
    return {
        name: latency_percentile_ms(requests, share)
        for share in SHARES
        for name, requests in zip(_names(share), (before, copied), strict=True)
    }


def felt(findings: Iterable[Finding]) -> list[Felt]:
    """What the findings of a run say of it; nothing if the run copied nothing, or it is not known."""
    known: Mapping[str, Fact] = {name: value for finding in findings for name, value in finding.facts.items()}
    return [
        Felt(_percentile(share), before, copied)
        for share in SHARES
        for before, copied in [[known.get(name) for name in _names(share)]]
        if isinstance(before, int | float) and isinstance(copied, int | float)
    ]


def _names(share: float) -> tuple[str, str]:
    return f"users' {_percentile(share)} before (ms)", f"users' {_percentile(share)} while copied (ms)"


def _percentile(share: float) -> str:
    return f"p{100 * share:.0f}"
