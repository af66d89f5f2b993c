"""What a shadow says: both versions' answers to the same requests, pair by pair. Pure.

Pairs tell more than two groups do: what is hard about a case is the same for both. Each pair is one observation, the candidate's
outcome less stable's: -1, 0 or 1, and the claim is that it is on average at most the margin. Disagreement is 0 or 1, and the
claim is that its ratio is at most what is allowed. The evidence against each is that of impact.betting, so one may look
at any time; alpha is divided among the metrics.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from math import log, sqrt
from statistics import median
from typing import NamedTuple

import msgspec

from impact.betting import Tally, least, log_evidence_above, log_evidence_below
from impact.drift import mean_absolute_difference, population_stability_index
from impact.judge import points, together
from impact.pairing import Pair, Said
from strategies.judgement import Count, Judgement, MetricJudgement, Verdict

EXAMPLES = 5
Z_POWER = 0.8416
"""A normal variable is above minus this with probability 0.8."""


class Flip(msgspec.Struct, frozen=True, kw_only=True):
    """A request that the versions answered differently.

    Attributes:
        truth: the right class; empty if nobody told.
    """

    request_id: str
    stable: str
    candidate: str
    truth: str


class PairComparison(msgspec.Struct, frozen=True, kw_only=True):
    """What the pairs say.

    Attributes:
        judgement: of "failed", "wrong" and "disagreement", and together.
        pairs: requests that both sides got; in `answered` of them both made a prediction, `with_truth` of those have a truth.
        flips: how often a class of stable's became another of the candidate's, as "stable → candidate".
        examples: some of the flips, the first ones.
        score_difference: mean absolute difference (0..1) of the probability that each gives to stable's class; null without answers.
        stability_index: the population stability index of that probability; null with too few answers to tell.
        stable_median, candidate_median: seconds in the replica, of answered pairs; null without any.
    """

    judgement: Judgement
    pairs: int
    answered: int
    with_truth: int
    flips: dict[str, int]
    examples: tuple[Flip, ...]
    score_difference: float | None
    stability_index: float | None
    stable_median: float | None
    candidate_median: float | None


class _Outcomes(NamedTuple):
    """Of n pairs, those that only the candidate, only stable, and both got wrong."""

    candidate_only: float
    stable_only: float
    both: float
    n: float

    @property
    def candidate(self) -> Count:
        return Count(int(self.candidate_only + self.both), int(self.n))

    @property
    def stable(self) -> Count:
        return Count(int(self.stable_only + self.both), int(self.n))

    def tally(self) -> Tally:
        """The differences -1, 0 and 1, moved to 0, 1/2 and 1."""
        import numpy as np  # noqa: PLC0415  heavy, and only a shadow needs it

        times = [self.stable_only, self.n - self.candidate_only - self.stable_only, self.candidate_only]
        return Tally(np.array([0.0, 0.5, 1.0]), np.array(times))


def compare_pairs(
    pairs: Sequence[Pair],
    truths: Mapping[str, str] | None,
    *,
    max_disagreement: float,
    objective: float | None = None,
    alpha: float,
    margin: float,
    detect: float,
    final: bool,
) -> PairComparison:
    """Compare both sides of all pairs so far.

    Args:
        pairs: requests that both sides got.
        truths: the right classes, by request id; other requests say nothing about who is wrong. None if nobody tells any: then
            wrong answers are not judged.
        max_disagreement: the ratio (0..1) of differing predictions that is acceptable.
        objective: seconds in the replica above which an answer is slow; None if that is not judged.
        alpha: the probability of a wrong FAIL, over all metrics and looks.
        margin: how much more often (points, 0..1) the candidate may fail or be wrong.
        detect: the harm beyond the margin, or beyond `max_disagreement`, that must not stay unseen.
        final: whether the comparison is over.
    """
    answered = [pair for pair in pairs if pair.stable.prediction and pair.candidate.prediction]
    flipped = [pair for pair in answered if pair.stable.prediction != pair.candidate.prediction]
    right = truths or {}
    known = [pair for pair in answered if pair.request_id in right]
    judged = {"failed": (_outcomes(pairs, lambda _, said: said.status != 200), margin)}
    if objective is not None:
        judged["slow"] = _outcomes(pairs, lambda _, said: said.latency > objective), margin
    if truths is not None:
        judged["wrong"] = _outcomes(known, lambda pair, said: said.prediction != right[pair.request_id]), margin
    judged["disagreement"] = _Outcomes(len(flipped), 0, 0, len(answered)), max_disagreement
    limit = log(len(judged) / alpha)
    metrics = tuple(_judge(metric, outcomes, allowed, detect, limit, final=final) for metric, (outcomes, allowed) in judged.items())
    return PairComparison(
        judgement=together(metrics, final=final),
        pairs=len(pairs),
        answered=len(answered),
        with_truth=len(known),
        flips=dict(Counter(f"{pair.stable.prediction} → {pair.candidate.prediction}" for pair in flipped).most_common()),
        examples=tuple(
            Flip(
                request_id=pair.request_id,
                stable=pair.stable.prediction,
                candidate=pair.candidate.prediction,
                truth=right.get(pair.request_id, ""),
            )
            for pair in flipped[:EXAMPLES]
        ),
        score_difference=mean_absolute_difference(answered),
        stability_index=population_stability_index(answered),
        stable_median=median(pair.stable.latency for pair in answered) if answered else None,
        candidate_median=median(pair.candidate.latency for pair in answered) if answered else None,
    )


def _outcomes(pairs: Sequence[Pair], bad: Callable[[Pair, Said], bool]) -> _Outcomes:
    times = Counter((bad(pair, pair.candidate), bad(pair, pair.stable)) for pair in pairs)
    return _Outcomes(times[True, False], times[False, True], times[True, True], len(pairs))


def _judge(metric: str, outcomes: _Outcomes, allowed: float, detect: float, limit: float, *, final: bool) -> MetricJudgement:
    evidence, needed = _evidence(metric, outcomes, allowed), _needed(metric, outcomes, allowed, detect, limit)
    verdict, finding = Verdict.INCONCLUSIVE, ": so far"
    if evidence >= limit:
        verdict, finding = Verdict.FAIL, ""
    elif final and _evidence_of_no_more(metric, outcomes, allowed) >= limit:
        verdict, finding = Verdict.PASS, ": more is ruled out"
    elif final and outcomes.n < needed:
        finding = f": too few to tell; about {needed:,} would be enough"
    elif final:
        verdict, finding = Verdict.PASS, ": more was not proved"
    return MetricJudgement(
        metric=metric,
        candidate=outcomes.candidate,
        stable=outcomes.stable,
        margin=allowed,
        verdict=verdict,
        evidence=evidence,
        limit=limit,
        needed=needed,
        explanation=f"{_compared(metric, outcomes, allowed)}{finding}",
    )


def _compared(metric: str, outcomes: _Outcomes, allowed: float) -> str:
    candidate, stable = outcomes.candidate.ratio, outcomes.stable.ratio
    of = f"{outcomes.n:,.0f} copied requests" + (" with a known truth" if metric == "wrong" else "")
    if candidate is None or stable is None:
        return f"{metric}: unknown ({of})"
    if metric == "disagreement":
        return f"answers differ on {points(candidate)} % of {of} {'>' if candidate > allowed else '≤'} {points(allowed)} % allowed"
    sign = ">" if candidate > stable + allowed else "≤"
    return f"candidate {metric} on {points(candidate)} % {sign} stable {points(stable)} % + margin {points(allowed)} % of {of}"


def _evidence(metric: str, outcomes: _Outcomes, allowed: float) -> float:
    """That there is more of it than allowed."""
    return float(log_evidence_above(*_observed(metric, outcomes, allowed)))


def _evidence_of_no_more(metric: str, outcomes: _Outcomes, allowed: float) -> float:
    """That there is less of it."""
    return float(log_evidence_below(*_observed(metric, outcomes, allowed)))


def _observed(metric: str, outcomes: _Outcomes, allowed: float) -> tuple[Tally, float]:
    """The observations, and the largest mean of theirs that is acceptable."""
    if metric == "disagreement":
        # between 0 and 1 already: to move it to the upper half would make it harder to tell
        tally = outcomes.tally()
        return Tally(2 * tally.values[1:] - 1, tally.times[1:]), allowed
    return outcomes.tally(), (1 + allowed) / 2


def _needed(metric: str, outcomes: _Outcomes, allowed: float, detect: float, limit: float) -> int:
    """From how many pairs on harm of `allowed` + `detect` would be proved with probability 0.8.

    How often stable alone is wrong is taken to be what was observed; what counts may differ by is charged to the candidate.
    """
    better = min(outcomes.stable_only / outcomes.n if outcomes.n else 0.0, 1 - allowed - detect)
    worse = better + allowed + detect
    if better < 0 or worse > 1:
        return 1  # so much harm cannot exist

    def proved(n: int) -> bool:
        short = Z_POWER * sqrt(n * max(0.0, worse + better - (worse - better) ** 2))
        return _evidence(metric, _Outcomes(max(0.0, worse * n - short), better * n, 0.0, n), allowed) >= limit

    return least(proved)
