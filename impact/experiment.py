"""What an A/B test says: whose users got more right answers, were they chosen as intended, and did they stay. Pure.

The unit is the user, not the request: one user's answers resemble each other. One user is one observation in [0, 1], the share
of right ones among their first answers, charged to the version that they were given first, wherever they went later.

The means are compared by a region of pairs (m_c, m_s). A pair is refuted in favour of the candidate once the evidence that the
candidate's mean is more than m_c, times the evidence that stable's is less than m_s, reaches 2/alpha; the product is a
supermartingale, in whatever order the users of both come. A difference is refuted when all its pairs are, so the least
favourable one decides. Each direction has half of alpha, so the interval of what is not refuted holds the true
difference at all times together with a probability of 1 - alpha. Rejected: an interval per version and their difference, which
needs about twice the users; to pair the users off, which wastes most of a small share.
"""

from collections.abc import Sequence
from math import log, sqrt
from typing import TYPE_CHECKING, Literal

import msgspec

from impact.betting import Tally, log_evidence_above, log_evidence_below, tally

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Z_POWER = 0.8416
"""A normal variable is above minus this with probability 0.8."""
POINTS, ZOOMS = 33, 5
"""How the least favourable mean is searched: so many points, and so often again between the neighbours of the lowest."""
BISECTIONS = 14
"""Of the interval's ends: 2 / 2**14 is a hundredth of a point."""
PRIOR_USERS = 100.0
"""How many users the bets on another share weigh: strongest for shares that are off by about five points."""
RATIO_LEVEL = 0.9999
"""At this level a split that is right is called wrong once in 10,000 experiments."""


class MeanComparison(msgspec.Struct, frozen=True, kw_only=True):
    """Two means of observations in [0, 1].

    Attributes:
        candidate, stable: how many observations each has.
        candidate_mean, stable_mean: null without observations.
        difference: the candidate's mean less stable's; null if one has no observations.
        lower, upper: the true difference lies between them, at all looks together with a probability of at least 1 - alpha.
        decided: "winner" if the candidate is better, "loser" if it is worse, "none" if neither is proved.
        detectable: the smallest difference that so many users would have proved with probability 0.8; null if there is none.
    """

    candidate: int
    stable: int
    candidate_mean: float | None
    stable_mean: float | None
    difference: float | None
    lower: float
    upper: float
    decided: Literal["winner", "loser", "none"]
    detectable: float | None


def compare_means(candidate: Sequence[float], stable: Sequence[float], *, alpha: float) -> MeanComparison:
    """Compare the observations of two groups, at any time and as often as one likes.

    Args:
        candidate: of the candidate's users, each 0..1.
        stable: of stable's users.
        alpha: the probability of ever calling a difference that is not there, in either direction.

    Raises:
        ValueError: an observation is not in [0, 1], or alpha not between 0 and 1.
    """
    if not 0 < alpha < 1:
        raise ValueError(f"a probability of a false alarm is between 0 and 1, not {alpha:g}")
    ours, theirs = tally(candidate), tally(stable)
    limit = log(2 / alpha)
    known = len(candidate) > 0 and len(stable) > 0
    difference = ours.mean - theirs.mean if known else None
    lower = _lower_end(ours, theirs, limit) if known else -1.0
    upper = -_lower_end(theirs, ours, limit) if known else 1.0
    # about as far as the interval reaches, a true difference is found half the time; what the means vary by is added for more
    spread = sqrt(ours.variance / ours.n + theirs.variance / theirs.n) if known else 0.0
    detectable = (upper - lower) / 2 + Z_POWER * spread
    return MeanComparison(
        candidate=len(candidate),
        stable=len(stable),
        candidate_mean=ours.mean if len(candidate) else None,
        stable_mean=theirs.mean if len(stable) else None,
        difference=difference,
        lower=lower,
        upper=upper,
        decided="winner" if lower > 0 else "loser" if upper < 0 else "none",
        detectable=detectable if known and detectable < 1 else None,
    )


def _lower_end(ours: Tally, theirs: Tally, limit: float) -> float:
    """The largest difference found below which all are refuted. The evidence falls as the difference grows, so it is bisected."""
    refuted, open_ = -1.0, ours.mean - theirs.mean
    for _ in range(BISECTIONS):
        middle = (refuted + open_) / 2
        if _evidence_of_more(ours, theirs, middle) >= limit:
            refuted = middle
        else:
            open_ = middle
    return refuted


def _evidence_of_more(ours: Tally, theirs: Tally, difference: float) -> float:
    """The logarithm of the evidence that our mean less theirs is more than `difference`: the least over the means that differ by it."""
    import numpy as np  # noqa: PLC0415  heavy, and only an experiment needs it

    def evidence(s: "NDArray[np.float64]") -> "NDArray[np.float64]":
        return log_evidence_above(ours, np.clip(s + difference, 0, 1)) + log_evidence_below(theirs, s)

    below, above = max(0.0, -difference), min(1.0, 1.0 - difference)
    found = np.inf
    for _ in range(ZOOMS):
        s = np.linspace(below, above, POINTS)
        values = evidence(s)
        lowest = int(values.argmin())
        found = min(found, float(values[lowest]))
        below, above = s[max(0, lowest - 1)], s[min(POINTS - 1, lowest + 1)]
    return found


def sample_ratio(candidate_users: int, stable_users: int, share: float, *, level: float = RATIO_LEVEL) -> bool:
    """Whether so many users of each are what an intended share can explain; may be asked after every user.

    A split that is off is a fault of the experiment: the groups may differ by more than the version, so nothing can be said.
    The evidence against the share is a mixture over other shares of how much better they explain the users so far (Lindon &
    Malek 2022, "Anytime-valid inference for multinomial count data", NeurIPS 35), so it ever reaches 1 / (1 - level) with a
    probability of at most 1 - level if the share is right.

    Args:
        candidate_users: users who were given the candidate.
        stable_users: users who were given stable.
        share: the intended share of the candidate's (0..1, exclusive).
        level: the probability of never objecting to a split that is right.

    Raises:
        ValueError: there is nothing to split by such a share.
    """
    from scipy.special import betaln  # noqa: PLC0415  as above

    if not 0 < share < 1:
        raise ValueError(f"a split needs a share between 0 and 1, not {share:g}")
    a, b = PRIOR_USERS * share, PRIOR_USERS * (1 - share)
    explained = betaln(a + candidate_users, b + stable_users) - betaln(a, b)
    expected = candidate_users * log(share) + stable_users * log(1 - share)
    return bool(explained - expected < log(1 / (1 - level)))
