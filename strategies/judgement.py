"""What a look at the users' counts can say."""

from enum import StrEnum

import msgspec


class Verdict(StrEnum):
    """Four ends that are never one value: bad, cannot tell and could not ask are different things. Only PASS promotes."""

    PASS = "PASS"
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    ERROR = "ERROR"


class Count(msgspec.Struct, frozen=True):
    """`bad` of `n` requests."""

    bad: int
    n: int

    @property
    def ratio(self) -> float | None:
        """Bad to all, 0..1; None without any request: no data is never zero."""
        return self.bad / self.n if self.n else None


class MetricJudgement(msgspec.Struct, frozen=True, kw_only=True):
    """One metric at one look.

    Attributes:
        metric: "failed", "slow" or "wrong".
        candidate, stable: the counts compared.
        margin: how much worse (in points of the ratio, 0..1) the candidate may be.
        verdict: what this metric alone says at this look.
        evidence: natural logarithm of the evidence (an e-value) that the candidate is worse than stable by more than the margin.
        limit: the evidence at which harm is proved, ln(1/alpha).
        needed: candidate requests from which on a harm of margin + detect would be proved with probability 0.8.
        explanation: the sentence shown to the user, with values and limits.
    """

    metric: str
    candidate: Count
    stable: Count
    margin: float
    verdict: Verdict
    evidence: float
    limit: float
    needed: int
    explanation: str


Fact = int | float | str | None
"""Something measured that is told beside the verdict; None for what is not known."""


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """All metrics at one look, and what they say together.

    Attributes:
        winner: the candidate was found better, not only no worse.
        facts: by name what else was measured, for the report.
    """

    verdict: Verdict
    reason: str
    metrics: tuple[MetricJudgement, ...] = ()
    winner: bool = False
    facts: dict[str, Fact] = {}
