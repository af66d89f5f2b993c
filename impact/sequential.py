"""An always-valid test of two proportions with a margin: is the candidate bad more often than stable, by more than is acceptable?

The null hypothesis is p_c <= p_s + margin. The evidence E against it starts at 1, and whichever ratios of the null are
true, the probability that it *ever* reaches 1/alpha is at most alpha. So one may look after every request and stop
whenever one likes. With k bad of n requests of each version:

    E = min over s of  sum over bets w e^(u k_c + v k_s) / [(1 + a (s + margin))^n_c (1 + b s)^n_s],   a = e^u - 1,  b = e^v - 1

A bet multiplies its stake w by e^u for each bad request of the candidate and by e^v for each of stable's (u > 0 > v). The
brackets are what it expects to win where the null is hardest to refute, at p_s = s and p_c = s + margin. The sum is
log-convex in s, so its minimum is found by bisection.

Why it is valid: at the true p_s the sum is a supermartingale that starts at 1, in whatever order the requests of the two
versions come, and E is never larger than it (Ville 1939; mixtures: Robbins 1970). And if each request goes to the
candidate at random with an unchanging probability, E expects at most 1 at any fixed look even where the ratios drift, if
only the candidate's is on average no more than the margin above stable's (Jensen's inequality): a machine that is busy for
a while and slows both versions raises no false alarm.

Why it is strong: u and v make a bet the likelihood ratio between an alternative and the null's point nearest to it, which
grows fastest (Turner, Ly & Grünwald 2021, arXiv:2106.02693). Rejected: to divide Beta-binomial likelihoods by the largest
one under the null (universal inference: Wasserman, Ramdas & Balakrishnan 2020); it pays for not knowing stable's ratio,
with a sixth to a half more requests (tests/bench/sequential_rates.py).
"""

from bisect import bisect_left
from functools import lru_cache
from math import hypot, sqrt
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from strategies.judgement import Count

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

POWER = 0.8
"""The probability with which a harm that is called detectable would have been proved."""
RATIOS = 14
"""For how many ratios of stable there are bets; more would not make the test stronger, and so for the two below."""
HARMS = (0.8, 2.0, 5.0)
"""For which harms beyond the margin there are bets, in multiples of `detect`. Small ones are hard to see and weigh more."""
ODDS = (1 / 9, 1.0, 9.0)
"""For which odds of a request to go to the candidate there are bets, in multiples of the intended ones."""
TRUST = 8.0
"""How much more the bets for the intended odds weigh than the others, without which another share than intended would blind the test."""
DISTRUST = 0.2
"""Weight of the bets as they would be without a baseline: a stable that is not what it was must not blind the test."""
STEPS = 18
"""Bisections of the arc of ratios; more would change the logarithm by less than 1e-5 even for 10,000 requests."""


class Bets(NamedTuple):
    """The exponents u and v and the logarithm of the stake, one element per bet."""

    candidate: "NDArray[np.float64]"
    stable: "NDArray[np.float64]"
    log_stake: "NDArray[np.float64]"


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be told apart, fixed before the counts are seen that it is asked about.

    Attributes:
        margin: how much worse (difference of the ratios) is acceptable.
        detect: the harm beyond the margin (difference of the ratios) that matters; the test is strongest there.
        share: of the requests that are counted, the candidate's intended share (0..1, exclusive); None if there is none.
        baseline: what stable did before, none of it in the counts compared.

    Only the margin is part of the claim. The others make the test stronger if they are right, not less valid if they are wrong.
    """

    margin: float
    detect: float
    share: float | None = None
    baseline: Count = Count(0, 0)

    def __post_init__(self) -> None:
        if not (-1 < self.margin < 1 and self.detect > 0 and 0 < (0.5 if self.share is None else self.share) < 1):
            raise ValueError(f"no two ratios can be compared by {self}")

    def log_evidence(self, candidate: Count, stable: Count) -> float:
        """The natural logarithm of the evidence that the candidate is worse than stable by more than the margin."""
        return float(log_evidence(self, candidate.bad, candidate.n, stable.bad, stable.n))

    def log_evidence_of_no_harm(self, candidate: Count, stable: Count) -> float:
        """The counterpart, against p_c >= p_s + margin: evidence that harm beyond the margin is ruled out.

        It is the same test of the good requests: the candidate's ratio of them is more than stable's less the margin.
        """
        good = Comparison(margin=-self.margin, detect=self.margin or self.detect, share=self.share, baseline=_good(self.baseline))
        return good.log_evidence(_good(candidate), _good(stable))

    def needed(self, candidate: Count, stable: Count, limit: float) -> int:
        """How many candidate requests prove a harm of margin + detect (log evidence of `limit`) with probability 0.8.

        An approximation: stable's ratio is taken to be the observed one, and its requests to stay in proportion to the
        candidate's. That an earlier look may have proved the harm is left out, so the number is rather too large.
        """
        if _ratio(stable, self.baseline) + self.margin + self.detect > 1:
            return 1  # stable is so bad that no such harm can exist
        beside = stable.n / candidate.n if candidate.n and stable.n else 1 / (self.share or 0.5) - 1

        def proved(n: int) -> bool:
            return self._proved(self.margin + self.detect, n, beside * n, _ratio(stable, self.baseline), limit)

        enough = 1 << bisect_left(range(31), x=True, key=lambda exponent: proved(2**exponent))
        least = enough // 2 + 1
        return least + bisect_left(range(least, enough), x=True, key=proved)

    def detectable(self, candidate: Count, stable: Count, limit: float) -> float | None:
        """The smallest harm (difference of the ratios, to 0.0001) that so many requests would have proved with probability 0.8, if any."""

        def proved(step: int) -> bool:
            return self._proved(step / 10_000, candidate.n, stable.n, _ratio(stable, self.baseline), limit)

        steps = bisect_left(range(10_000), x=True, key=proved)
        return steps / 10_000 if proved(steps) else None

    def _proved(self, harm: float, candidate: float, stable: float, ratio: float, limit: float) -> bool:
        """Whether a harm reaches the limit with probability 0.8, if candidate and stable answer so many requests.

        It is tried at the candidate's number of bad requests that is exceeded so often. Stable's bad ones are as many as
        expected; what they may differ by is charged to the candidate's.
        """
        from scipy.special import bdtrik, ndtri  # noqa: PLC0415  heavy, and only an analysis needs it

        if not (candidate and stable):
            return False
        expected = candidate * min(1.0, ratio + harm)
        candidates = expected - bdtrik(1 - POWER, candidate, min(1.0, ratio + harm))
        stables = ndtri(POWER) * sqrt(stable * ratio * (1 - ratio)) * candidate / stable
        bad = max(0.0, expected - hypot(candidates, stables))
        return bool(log_evidence(self, bad, candidate, ratio * stable, stable) >= limit)


def log_evidence(comparison: Comparison, k_c: "ArrayLike", n_c: "ArrayLike", k_s: "ArrayLike", n_s: "ArrayLike") -> "NDArray[np.float64]":
    """As the method of the same name, for arrays of counts (whole or not) of one shape."""
    import numpy as np  # noqa: PLC0415  as above

    bets, margin = _bets(comparison), comparison.margin
    a, b = np.expm1(bets.candidate), np.expm1(bets.stable)
    k_c, n_c, k_s, n_s = (np.asarray(count, dtype=np.float64)[..., np.newaxis] for count in (k_c, n_c, k_s, n_s))
    won = bets.candidate * k_c + bets.stable * k_s + bets.log_stake
    below, above = np.zeros_like(k_c), np.full_like(k_c, np.pi / 2)
    for _ in range(STEPS):
        arc = (below + above) / 2
        s = _boundary(arc, margin)
        expected_c, expected_s = 1 + a * (s + margin), 1 + b * s
        logs = won - n_c * np.log(expected_c) - n_s * np.log(expected_s)
        slopes = np.exp(logs - logs.max(axis=-1, keepdims=True)) * (n_c * a / expected_c + n_s * b / expected_s)
        falling = slopes.sum(axis=-1, keepdims=True) > 0
        below, above = np.where(falling, arc, below), np.where(falling, above, arc)
    evidence: NDArray[np.float64] = np.logaddexp.reduce(logs, axis=-1)
    return evidence


@lru_cache(maxsize=64)
def _bets(comparison: Comparison) -> Bets:
    """Bets on alternatives (s, c), each against the point (p, p + margin) of the null with the least relative entropy to it."""
    import numpy as np  # noqa: PLC0415  as above
    from scipy.special import logit  # noqa: PLC0415  as above

    margin = comparison.margin
    ratios = _boundary((np.arange(RATIOS) + 0.5) / RATIOS * np.pi / 2, margin)
    s, multiple, odds = (axis.ravel() for axis in np.meshgrid(ratios, HARMS, ODDS))
    c = s + margin + np.minimum(comparison.detect * multiple, 0.95 * (1 - s - margin))
    share = comparison.share or 0.5
    below, above = s, np.full_like(s, min(1.0, 1.0 - margin))
    for _ in range(60):
        p = (below + above) / 2
        q = p + margin
        farther = odds * share / (1 - share) * (c - q) / (q * (1 - q)) > (p - s) / (p * (1 - p))
        below, above = np.where(farther, p, below), np.where(farther, above, p)
    prior = np.where((odds == 1) & (comparison.share is not None), TRUST, 1.0) / multiple
    likelihood = comparison.baseline.bad * np.log(s) + _good(comparison.baseline).bad * np.log1p(-s)
    posterior = prior * np.exp(likelihood - likelihood.max())
    stake = (1 - DISTRUST) * posterior / posterior.sum() + DISTRUST * prior / prior.sum()
    return Bets(candidate=logit(c) - logit(p + margin), stable=logit(s) - logit(p), log_stake=np.log(stake))


def _boundary(arc: "NDArray[np.float64]", margin: float) -> "NDArray[np.float64]":
    """The ratios of stable at which the candidate's can be larger by the margin, for arcs from 0 to pi/2.

    At equal distances of arc (the arcsine of the root) two ratios are about equally hard to tell apart.
    """
    import numpy as np  # noqa: PLC0415  as above

    low, high = max(0.0, -margin), min(1.0, 1.0 - margin)
    ratios: NDArray[np.float64] = low + (high - low) * np.sin(arc) ** 2
    return ratios


def _good(count: Count) -> Count:
    return Count(count.n - count.bad, count.n)


def _ratio(stable: Count, baseline: Count) -> float:
    """The best guess of stable's ratio."""
    return next(ratio for ratio in (stable.ratio, baseline.ratio, 0.0) if ratio is not None)
