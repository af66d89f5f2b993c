"""Evidence about the mean of bounded observations: is it more than m? Always valid, and it adapts to how much they vary.

A bet of strength b multiplies its stake by 1 + b (x - m) at each observation x in [0, 1]. If no mean is more than m, whatever has
been seen before, it wins nothing on average, so the probability that the wealth *ever* reaches 1/alpha is at most alpha
(Ville 1939): one may look at any time. Which strength would grow fastest depends on how much the observations vary, which
nobody knows, so the stake is spread over a ladder of strengths (Robbins 1970; for bounded means Waudby-Smith & Ramdas 2024,
"Estimating means of bounded random variables by betting", JRSS B 86). A ladder that is fixed beforehand makes the wealth a
function of which observations were made, not of their order; strengths that follow the observations were rejected for that.

The wealth falls as m grows, as every factor does.
"""

from bisect import bisect_left
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

STRENGTHS = tuple(2.0**power for power in range(-5, 6))
"""From what tells a million coin tosses apart to what tells twenty nearly equal observations."""
BOLDNESS = 0.95
"""No bet risks more than this part of its stake: one observation of 0 must not end it for good."""


class Tally(NamedTuple):
    """Observations in [0, 1], each different value once with how often it was observed. Times may be no whole numbers."""

    values: "NDArray[np.float64]"
    times: "NDArray[np.float64]"

    @property
    def n(self) -> float:
        """How many observations."""
        return float(self.times.sum())

    @property
    def mean(self) -> float:
        """Their mean; NaN without any."""
        return float(self.values @ self.times / self.n) if self.n else float("nan")

    @property
    def variance(self) -> float:
        """Their mean squared distance from their mean; NaN without any."""
        return float((self.values - self.mean) ** 2 @ self.times / self.n) if self.n else float("nan")

    def mirrored(self) -> "Tally":
        """1 - x for each x."""
        return Tally(1 - self.values, self.times)


def tally(observations: "ArrayLike") -> Tally:
    """The tally of `observations`.

    Raises:
        ValueError: one is not in [0, 1].
    """
    import numpy as np  # noqa: PLC0415  heavy, and most commands do without

    values, times = np.unique(np.asarray(observations, dtype=np.float64), return_counts=True)
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError("observations have to be between 0 and 1")
    return Tally(values, times.astype(np.float64))


def log_evidence_above(observed: Tally, means: "ArrayLike") -> "NDArray[np.float64]":
    """Natural logarithms of the evidence that the mean is more than m, for each m of `means` (0..1)."""
    import numpy as np  # noqa: PLC0415  as above

    m = np.asarray(means, dtype=np.float64)[..., np.newaxis]
    strengths = np.minimum(np.array(STRENGTHS), BOLDNESS / np.maximum(m, 1e-9))
    logs = np.log1p(strengths[..., np.newaxis] * (observed.values - m[..., np.newaxis])) @ observed.times
    # one part of the stake is never bet, so that evidence once had against a higher m cannot count as evidence for a lower one
    logs = np.concatenate([np.zeros_like(m), logs], axis=-1)
    evidence: NDArray[np.float64] = np.logaddexp.reduce(logs, axis=-1) - np.log(len(STRENGTHS) + 1)
    return evidence


def log_evidence_below(observed: Tally, means: "ArrayLike") -> "NDArray[np.float64]":
    """The counterpart: evidence that the mean is less than m."""
    import numpy as np  # noqa: PLC0415  as above

    return log_evidence_above(observed.mirrored(), 1 - np.asarray(means, dtype=np.float64))


def least(enough: Callable[[int], bool], exponents: int = 31) -> int:
    """The smallest number that is `enough`, if all larger ones are too; at most 2 to the power of `exponents` - 1."""
    power = 1 << bisect_left(range(exponents), x=True, key=lambda exponent: enough(2**exponent))
    return power // 2 + 1 + bisect_left(range(power // 2 + 1, power), x=True, key=enough)
