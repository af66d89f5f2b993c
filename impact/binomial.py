"""Does who answered fit the share that was set? Exact binomial statements, so that 0 %, 100 % and few answers need no care.

The interval is Clopper and Pearson's (1934): it contains a share unless the observed count, or one farther from what is
expected, has a probability of at most (1 - level) / 2 under that share.
"""

from bisect import bisect_left
from math import ceil, floor

LEVEL = 0.9999
"""At this level an intended share is outside of the interval once in 10,000 times."""


def interval(k: int, n: int, level: float = LEVEL) -> tuple[float, float]:
    """The shares (0..1) that can explain `k` of `n`; all of them if `n` is 0."""
    from scipy.special import betaincinv  # noqa: PLC0415  heavy, and most commands do without

    tail = (1 - level) / 2
    low = float(betaincinv(k, n - k + 1, tail)) if k else 0.0
    high = float(betaincinv(k + 1, n - k, 1 - tail)) if k < n else 1.0
    return low, high


def plausible(k: int, n: int, share: float, level: float = LEVEL) -> bool:
    """Whether `share` can explain `k` of `n`. A share of 0 explains no `k` but 0, a share of 1 none but `n`."""
    low, high = interval(k, n, level)
    return low <= share <= high


def settled(k: int, n: int, new: float, old: float, level: float = LEVEL) -> bool:
    """Whether `k` of `n` answers since a change of the share show that it happened: they fit the new share and exclude the old one.

    Where the share stays what it was there is nothing to exclude; no answer at all never shows anything.
    """
    return n > 0 and plausible(k, n, new, level) and (new == old or not plausible(k, n, old, level))


def answers_needed(new: float, old: float, level: float = LEVEL) -> int:
    """About how many answers it takes until a change of the share from `old` to `new` has settled, more likely than not."""
    if new == old:
        return 1

    def shows(n: int) -> bool:
        typical = floor(n * new) if new > old else ceil(n * new)
        return settled(typical, n, new, old, level)

    return 1 + bisect_left(range(1, 1_000_000), x=True, key=shows)
