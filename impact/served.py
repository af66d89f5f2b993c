"""What servers counted of the requests that they got: the statuses that they gave, and how long they took. Pure.

Of copies nobody else can tell: no one waits for their answers, and the prediction log has only what the model said.
"""

from collections.abc import Mapping, Sequence
from math import inf

from strategies.judgement import Count


def failures(statuses: Mapping[str, int]) -> Count:
    """Failed (no 2xx) and all of the requests answered, from how many there were of each status."""
    return Count(sum(n for status, n in statuses.items() if not status.startswith("2")), sum(statuses.values()))


def percentile(at_most: Mapping[float, int], q: float) -> float | None:
    """Seconds that a share `q` (0..1) of the requests did not exceed, from how many took at most so many seconds; None without any.

    A histogram knows only between which bounds it lies; within them the requests are taken to be spread evenly. Beyond the
    last bound it is infinite: nobody knows how far.
    """
    total = at_most.get(inf, 0)
    if not total:
        return None
    lower, below = 0.0, 0
    for bound, n in sorted(at_most.items()):
        if n >= q * total:
            # in the last bucket the upper bound is infinite, and so is what lies there
            return bound if bound == inf or n == below else lower + (bound - lower) * (q * total - below) / (n - below)
        lower, below = bound, n
    return None


def longest_absence(scrapes: Sequence[bool]) -> int:
    """The most scrapes in a row that a replica did not answer."""
    longest = run = 0
    for answered in scrapes:
        run = 0 if answered else run + 1
        longest = max(longest, run)
    return longest
