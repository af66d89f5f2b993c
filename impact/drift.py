"""How far the candidate's scores have moved from stable's on the same requests. Pure; told, not judged.

The score of a side is the probability that it gives to a class. The log has the probability of the likeliest class only, so for a
side that chose another class it is taken to be the rest: exact for two classes, and at most too high for more.
"""

from bisect import bisect_right
from collections.abc import Sequence
from math import log

from impact.pairing import Pair, Said

BINS = 10
ENOUGH = 20 * BINS
"""Pairs from which on the index is told: with fewer, chance alone moves it past what is called drift."""


def mean_absolute_difference(pairs: Sequence[Pair]) -> float | None:
    """Of the probabilities (0..1) that both give to stable's class; None without any pair with two of them."""
    differences = [
        abs(_score(pair.stable, pair.stable.prediction) - _score(pair.candidate, pair.stable.prediction)) for pair in pairs if _scored(pair)
    ]
    return sum(differences) / len(differences) if differences else None


def population_stability_index(pairs: Sequence[Pair]) -> float | None:
    """How differently the two sides' scores of one class are spread; 0 for equally, above about 0.25 for a shift; None for too few pairs.

    The bins are the tenths of stable's scores, where equal scores let them be told apart. Half an observation is added to each, as
    an empty bin would make the index infinite.
    """
    scored = [pair for pair in pairs if _scored(pair)]
    if len(scored) < ENOUGH:
        return None
    reference = min(pair.stable.prediction for pair in scored)
    stable = sorted(_score(pair.stable, reference) for pair in scored)
    edges = sorted({stable[len(stable) * number // BINS] for number in range(1, BINS)})
    before, after = (
        _shares([_score(side, reference) for side in sides], edges)
        for sides in ([pair.stable for pair in scored], [pair.candidate for pair in scored])
    )
    return sum((new - old) * log(new / old) for old, new in zip(before, after, strict=True))


def _scored(pair: Pair) -> bool:
    return pair.stable.probability is not None and pair.candidate.probability is not None


def _score(said: Said, of: str) -> float:
    probability = said.probability or 0.0
    return probability if said.prediction == of else 1 - probability


def _shares(scores: Sequence[float], edges: Sequence[float]) -> list[float]:
    """The share of `scores` in each of the bins that `edges` part."""
    counts = [0.5] * (len(edges) + 1)
    for score in scores:
        counts[bisect_right(edges, score)] += 1
    return [count / sum(counts) for count in counts]
