"""The table that has been published of these strategies, which nobody had measured, and where the measured one contradicts it. Pure.

The ticks are those of the decision diagram of github.com/ContainerSolutions/k8s-deployment-strategies. Its columns "real traffic testing"
and "targeted users" say what a strategy is, not what it costs, so there is nothing to measure them against.

A tick is contradicted by what happened. Squares (0 to 3) are an order: it is contradicted where one strategy is given more
than another and every repeat of both shows less, so that their ranges lie apart the other way round.
"""

from collections.abc import Mapping
from itertools import permutations

import msgspec

from impact.comparison import BAD, GOOD, Comparison, Spread, spread
from impact.comparison_cells import repeats, told

FEWEST_REPEATS = 3
"""Ranges of fewer repeats than these say little about an order."""


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A column of the published table.

    Attributes:
        measure: the measure of ours that it is about.
        title: what the column is called.
        squares: how many of three squares each strategy has; for "zero downtime" 1 is a tick and 0 a cross.
        of_bad: it is about rollouts of bad candidates, else of good ones.
    """

    measure: str
    title: str
    squares: Mapping[str, int]
    of_bad: bool = False

    def mark(self, strategy: str) -> str:
        """What the table shows for a strategy; empty if it does not have it."""
        count = self.squares.get(strategy)
        if count is None:
            return ""
        return ("✗", "✓")[count] if self is ZERO_DOWNTIME else "■" * count + "□" * (3 - count)


def _claim(measure: str, title: str, squares: tuple[int, ...], *, of_bad: bool = False) -> Claim:
    names = ("recreate", "rolling", "blue-green", "canary", "ab-test", "shadow")
    return Claim(measure=measure, title=title, squares=dict(zip(names, squares, strict=True)), of_bad=of_bad)


ZERO_DOWNTIME = _claim("downtime_seconds", "zero downtime", (0, 1, 1, 1, 1, 1))
COST = _claim("extra_pod_seconds", "cloud cost", (1, 1, 3, 1, 1, 3))
ROLLBACK = _claim("harm_seconds", "rollback duration", (3, 3, 0, 1, 1, 0), of_bad=True)
IMPACT = _claim("users_harmed", "negative impact on user", (3, 1, 2, 1, 1, 0), of_bad=True)
COMPLEXITY = _claim("changes", "complexity of setup", (0, 1, 2, 2, 3, 3))
CLAIMS = (ZERO_DOWNTIME, COST, ROLLBACK, IMPACT, COMPLEXITY)
ORDERED = CLAIMS[1:]

_WORDS = {
    "extra_pod_seconds": "extra replica-seconds",
    "harm_seconds": "seconds from the verdict to the last bad request",
    "users_harmed": "users who met something bad",
    "changes": "changes of routes and replicas",
}


def claim_of(measure: str, candidate: str) -> Claim | None:
    """The published column that is about `measure` with such a candidate; None if there is none."""
    return next((claim for claim in CLAIMS if claim.measure == measure and candidate in (BAD if claim.of_bad else GOOD)), None)


def contradictions(comparison: Comparison) -> tuple[str, ...]:
    """Where the measured table contradicts the published one, in sentences."""
    orders = tuple(sentence for claim in ORDERED for sentence in _orders(comparison, claim, FEWEST_REPEATS))
    return (*_downtimes(comparison), *orders)


def hints(comparison: Comparison) -> tuple[str, ...]:
    """What goes against an order of the published table in too few repeats to contradict it, in sentences."""
    if comparison.setting.repeats >= FEWEST_REPEATS:
        return ()
    return tuple(sentence for claim in ORDERED for sentence in _orders(comparison, claim, 1))


def _downtimes(comparison: Comparison) -> list[str]:
    found = []
    for row in comparison.rows:
        tick, gap, failed = ZERO_DOWNTIME.squares.get(row.strategy), row.spreads.get("downtime_seconds"), row.spreads.get("failed")
        if row.candidate not in GOOD or row.as_defined is not True or tick is None or gap is None or failed is None:
            continue
        if tick and failed.low > 0:
            found.append(
                f"zero downtime: the table ticks {row.strategy}, but {told(failed)} requests failed with the good {row.candidate}, "
                f"and for {told(gap)} s at a stretch every one did"
            )
        if not tick and failed.high == 0:
            found.append(
                f"zero downtime: the table denies it to {row.strategy}, but with the good {row.candidate} not one request failed "
                f"in {repeats(row)}"
            )
    return found


def _orders(comparison: Comparison, claim: Claim, fewest: int) -> list[str]:
    ours = {strategy: _measured(comparison, claim, strategy, fewest) for strategy in comparison.strategies}
    found = []
    for more, less in permutations(comparison.strategies, 2):
        high, low = ours[more], ours[less]
        if high is None or low is None or claim.squares.get(more, 0) <= claim.squares.get(less, 0):
            continue
        if high.high < low.low:
            found.append(
                f"{claim.title}: the table gives {more} more ({claim.mark(more)}) than {less} ({claim.mark(less)}), "
                f"but {more} had {told(high)} {_WORDS[claim.measure]} and {less} {told(low)}"
            )
    return found


def _measured(comparison: Comparison, claim: Claim, strategy: str, fewest: int) -> Spread | None:
    """A strategy's measure, of its good or of its bad candidates; None if it was not repeated enough or did not end as it should."""
    rows = [row for row in comparison.rows if row.strategy == strategy and row.candidate in (BAD if claim.of_bad else GOOD)]
    if not rows or any(len(row.runs) < fewest or row.as_defined is not True for row in rows):
        return None
    # with more than one bad candidate the order has to hold for all of them together
    runs = zip(*(sorted(row.runs, key=lambda costs: costs.run) for row in rows), strict=False)
    return spread(sum(getattr(costs, claim.measure) or 0.0 for costs in together) for together in runs)
