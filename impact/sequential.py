"""An always-valid test of two proportions with a margin: is the candidate bad more often than stable, by more than is acceptable?

The null hypothesis is p_c <= p_s + margin. The evidence E against it starts at 1, and whichever ratios of the null are
true, the probability that it *ever* reaches 1/alpha is at most alpha (Ville 1939). So one may look after every request
and stop whenever one likes.

A bet multiplies its evidence by e^u for each bad request of the candidate and by e^v for each of stable's (u > 0 > v).
With a = e^u - 1, b = e^v - 1 and k bad of n requests:

    ln E_bet = u k_c + v k_s - max over the null of [n_c ln(1 + a p_c) + n_s ln(1 + b p_s)]

E is the weighted mean of several such bets (the method of mixtures, Robbins 1970). The maximum lies on the null's
boundary p_c = p_s + margin, where the bracket is concave in p_s and the zero of its derivative has a closed form.

Why it is valid. (1) If each version has a ratio of its own, e^(u k_c + v k_s) divided by its expectation is a martingale
in whatever order the requests come, and dividing by the largest expectation under the null makes less of it.
(2) If each request goes to the candidate with probability `share`, the ratios may also drift, as long as they stay in the
null: the stakes u and v are such that E_bet is at most the likelihood ratio of an alternative to the null's nearest point,
which no point of the null expects to grow (Turner, Ly & Grünwald 2021, arXiv:2106.02693). Hence no false alarm where a
busy machine slows both versions for a while.

Rejected: to divide by the largest likelihood under the null (universal inference: Wasserman, Ramdas & Balakrishnan 2020),
with Beta priors. It is as valid, but it pays for not knowing stable's ratio, with a quarter more requests
(tests/bench/sequential_rates.py compares them).
"""

from bisect import bisect_left
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from strategies.judgement import Count

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

POWER = 0.8
"""The probability with which a harm that is called detectable would have been proved."""
RATIOS = 12
"""For how many ratios of stable there are bets; more would not make the test stronger."""
HARMS = (0.75, 1.5, 3.0, 6.0)
"""For which harms beyond the margin there are bets, in multiples of `detect`. Small ones are hard to see and weigh more."""
DISTRUST = 0.2
"""Weight of the bets as they would be without a baseline; a stable that is not what it was would blind the test without them."""
SHARES = (0.2, 0.5, 0.8)
"""For which shares there are bets where the candidate's is not known beforehand."""


class Bets(NamedTuple):
    """The stakes u and v and the logarithms of the weights, one element per bet."""

    candidate: "NDArray[np.float64]"
    stable: "NDArray[np.float64]"
    log_weight: "NDArray[np.float64]"


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be told apart, fixed before the counts are seen that it is asked about.

    Attributes:
        margin: how much worse (difference of the ratios) is acceptable.
        detect: the harm beyond the margin (difference of the ratios) that matters; the test is strongest there.
        share: with which probability (0..1, exclusive) each request goes to the candidate; None if requests are not shared
            out at random. A wrong one costs power but raises no false alarm while the ratios are constant.
        baseline: what stable did before, none of it in the counts compared. It makes the test stronger, never less valid.
    """

    margin: float
    detect: float
    share: float | None = None
    baseline: Count = Count(0, 0)

    def __post_init__(self) -> None:
        if not (-1 < self.margin < 1 and self.detect > 0 and 0 < (self.share or 0.5) < 1):
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

        An approximation: stable's ratio is taken to be the observed one, and its requests to be in the same proportion to
        the candidate's as so far. What an earlier look may have proved is left out, so the number is slightly too large.
        """
        if _ratio(stable, self.baseline) + self.margin + self.detect > 1:
            return 1  # stable is so bad that no such harm can exist
        beside = stable.n / candidate.n if candidate.n and stable.n else 1 / (self.share or 0.5) - 1

        def proved(n: int) -> bool:
            return self._proved(self.margin + self.detect, n, beside * n, _ratio(stable, self.baseline), limit)

        return 1 + bisect_left(range(1, 2**31), x=True, key=proved)

    def detectable(self, candidate: Count, stable: Count, limit: float) -> float | None:
        """The smallest harm (difference of the ratios, to 0.0001) that so many requests would have proved with probability 0.8, if any."""

        def proved(step: int) -> bool:
            return self._proved(step / 10_000, candidate.n, stable.n, _ratio(stable, self.baseline), limit)

        steps = bisect_left(range(10_001), x=True, key=proved)
        return steps / 10_000 if proved(steps) else None

    def _proved(self, harm: float, candidate: int, stable: float, ratio: float, limit: float) -> bool:
        """Whether a harm reaches the limit with probability 0.8: at the number of bad requests that is exceeded so often."""
        from scipy.special import bdtrik  # noqa: PLC0415  heavy, and only an analysis needs it

        bad = bdtrik(1 - POWER, candidate, min(1.0, ratio + harm))
        return bool(log_evidence(self, bad, candidate, ratio * stable, stable) >= limit)


def log_evidence(comparison: Comparison, k_c: "ArrayLike", n_c: "ArrayLike", k_s: "ArrayLike", n_s: "ArrayLike") -> "NDArray[np.float64]":
    """As the method of the same name, for arrays of counts (whole or not) of any one shape."""
    import numpy as np  # noqa: PLC0415  heavy, and only an analysis needs it

    bets, margin = _bets(comparison), comparison.margin
    k_c, n_c, k_s, n_s = (np.asarray(count, dtype=np.float64)[..., np.newaxis] for count in (k_c, n_c, k_s, n_s))
    a, b = np.expm1(bets.candidate), np.expm1(bets.stable)
    worst = -(a * n_c + b * n_s * (1 + a * margin)) / (a * b * np.maximum(n_c + n_s, 1))
    worst = np.clip(worst, *_boundary(margin))
    expected = n_c * np.log1p(a * (worst + margin)) + n_s * np.log1p(b * worst)
    evidence: NDArray[np.float64] = np.logaddexp.reduce(bets.candidate * k_c + bets.stable * k_s - expected + bets.log_weight, axis=-1)
    return evidence


@lru_cache(maxsize=64)
def _bets(comparison: Comparison) -> Bets:
    """Stakes that make a likelihood ratio of each bet: of the alternative (s, c) to the null's point (p, q) with the least relative entropy."""
    import numpy as np  # noqa: PLC0415  as above
    from scipy.special import logit  # noqa: PLC0415  as above

    margin = comparison.margin
    low, high = _boundary(margin)
    # evenly spaced in the arcsine of the ratio, in which all ratios are estimated equally well
    ratios = low + (high - low) * np.sin((np.arange(RATIOS) + 0.5) / RATIOS * np.pi / 2) ** 2
    shares = [comparison.share] if comparison.share else SHARES
    s, multiple, share = (axis.ravel() for axis in np.meshgrid(ratios, HARMS, shares))
    c = s + margin + np.minimum(comparison.detect * multiple, 0.95 * (1 - s - margin))
    near, far = s, np.full_like(s, high)
    for _ in range(60):
        p = (near + far) / 2
        q = p + margin
        towards_null = share * (c - q) / (q * (1 - q)) > (1 - share) * (p - s) / (p * (1 - p))
        near, far = np.where(towards_null, p, near), np.where(towards_null, far, p)
    bad, n = comparison.baseline.bad, comparison.baseline.n
    prior = 1 / multiple
    likelihood = bad * np.log(s) + (n - bad) * np.log1p(-s)
    posterior = prior * np.exp(likelihood - likelihood.max())
    weight = (1 - DISTRUST) * posterior / posterior.sum() + DISTRUST * prior / prior.sum()
    return Bets(candidate=logit(c) - logit(p + margin), stable=logit(s) - logit(p), log_weight=np.log(weight))


def _boundary(margin: float) -> tuple[float, float]:
    """Between which ratios of stable the candidate's can be larger by exactly the margin."""
    return max(0.0, -margin), min(1.0, 1.0 - margin)


def _good(count: Count) -> Count:
    return Count(count.n - count.bad, count.n)


def _ratio(stable: Count, baseline: Count) -> float:
    """The best guess of stable's ratio before anything is known about the candidate."""
    return next(ratio for ratio in (stable.ratio, baseline.ratio, 0.0) if ratio is not None)
