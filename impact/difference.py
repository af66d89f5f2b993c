"""What an A/B test has found so far: by how much more of the answers were right at the candidate's users, and where that may lie."""

from typing import NamedTuple

from strategies.judgement import Judgement

FACTS = ("difference", "difference, at least", "difference, at most")
"""The names under which an experiment's looks have it, 0..1."""


class Difference(NamedTuple):
    """Points by which more of the answers were right at the candidate's users than at stable's.

    Attributes:
        middle: as it was found.
        least, most: the true one lies between them, at all looks together with the experiment's probability.
    """

    middle: float
    least: float
    most: float

    @property
    def span(self) -> float:
        """Points on each side of zero that a drawing needs to show all of it, a round number."""
        return next((span for span in (1, 2, 5, 10, 20, 50) if max(-self.least, self.most) <= span), 100)


def found(judgement: Judgement) -> Difference | None:
    """What a look has found; None if it is none at an experiment, or if a group has no user yet."""
    middle, least, most = (judgement.facts.get(name) for name in FACTS)
    if isinstance(middle, float) and isinstance(least, float) and isinstance(most, float):
        return Difference(100 * middle, 100 * least, 100 * most)
    return None
