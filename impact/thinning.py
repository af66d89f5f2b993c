"""The looks at a long analysis, thinned for a drawing: an hour has thousands of them, and a page must stay light."""

from collections.abc import Sequence
from itertools import pairwise

from strategies.events import Looked

MOST_POINTS = 400
"""How many points a curve has: more than that nobody sees on it."""


def thinned(looks: Sequence[Looked], most: int = MOST_POINTS) -> list[Looked]:
    """At most `most` of the looks, evenly chosen, with the first and the last; and as many of those at which a verdict changed.

    A curve that leaves a change out would show no cause for what was done then.
    """
    changes = [index for index, (before, look) in enumerate(pairwise(looks), start=1) if _verdicts(before) != _verdicts(look)]
    return [looks[index] for index in sorted({*_spread(range(len(looks)), most), *_spread(changes, most)})]


def _spread(indexes: Sequence[int], most: int) -> Sequence[int]:
    if len(indexes) <= most:
        return indexes
    return [indexes[round(number * (len(indexes) - 1) / (most - 1))] for number in range(most)]


def _verdicts(look: Looked) -> tuple[str, ...]:
    return (look.judgement.verdict, *(metric.verdict for metric in look.judgement.metrics))
