"""`comparison.json`: strategies side by side, each with good and bad candidates, measured. Pure: from the costs of runs, nothing else."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median

import msgspec

from impact.comparison_costs import Costs
from impact.figures import Environment
from strategies.events import Outcome

STRATEGIES = ("recreate", "rolling", "blue-green", "canary", "ab-test", "shadow")
GOOD = frozenset({"v2"})
BAD = frozenset({"v2-broken", "v2-slow", "v2-wrong"})
LEAVES_STABLE = frozenset({"ab-test", "shadow"})
"""Strategies that only find something out: a good candidate completes them and is promoted by another one."""


class Cell(msgspec.Struct, frozen=True, order=True):
    """One rollout to be measured: a strategy with a candidate, the repeat'th time (from 1)."""

    strategy: str
    candidate: str
    repeat: int


class Spread(msgspec.Struct, frozen=True):
    """A measure over repeats."""

    median: float
    low: float
    high: float


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A strategy with a candidate, over all repeats.

    Attributes:
        expected: how it ends by the strategy's definition; null for a candidate of which nobody has said whether it is good.
        as_defined: whether every repeat that ran ended so; null without a definition or a run.
        missing: repeats that have no run.
        runs: the costs of each repeat that ran.
        spreads: median and range of each measure by name; those that no run knows are left out.
    """

    strategy: str
    candidate: str
    expected: Outcome | None
    as_defined: bool | None
    missing: int
    runs: tuple[Costs, ...]
    spreads: dict[str, Spread]


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """What all rollouts had in common.

    Attributes:
        command: what was typed.
        platform: where the rollouts happened: each with a lab of its own on local, else all on the same one.
        rate: requests per second of all users.
        users: how many users shared them.
        replicas: how many replicas all the traffic needs.
        baseline_seconds: how long stable was watched before.
        hold_seconds: how long each analysis lasted at most.
        keep_seconds: how long the old version stayed warm after a promotion.
        repeats: how often each was performed.
        seed: of the order, and of the users' schedule in the first repeat; each further repeat has the next one.
        order: the cells in the order in which they were performed.
        words: what each rollout was told of the platform.
        objective_seconds: slower requests counted as slow; null for five times stable's p99 in each run's own baseline.
    """

    command: tuple[str, ...]
    platform: str
    rate: float
    users: int
    replicas: int
    baseline_seconds: float
    hold_seconds: float
    keep_seconds: float
    repeats: int
    seed: int
    order: tuple[Cell, ...]
    words: tuple[str, ...] = ()
    objective_seconds: float | None = None


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """The measured table.

    Attributes:
        setting: what all rollouts had in common.
        environment: the machine; null if nothing ran.
        rows: by candidate, then by strategy, in the order in which they were asked for.
    """

    setting: Setting
    environment: Environment | None
    rows: tuple[Row, ...]

    def row(self, strategy: str, candidate: str) -> Row | None:
        """The row of a strategy with a candidate."""
        return next((row for row in self.rows if (row.strategy, row.candidate) == (strategy, candidate)), None)

    @property
    def strategies(self) -> tuple[str, ...]:
        """The strategies that were compared, in order."""
        return tuple(dict.fromkeys(row.strategy for row in self.rows))

    @property
    def candidates(self) -> tuple[str, ...]:
        """The candidates that they were compared with, in order."""
        return tuple(dict.fromkeys(row.candidate for row in self.rows))


MEASURES: Mapping[str, Callable[[Costs], float | None]] = {
    "downtime_seconds": lambda costs: costs.downtime_seconds,
    "failed": lambda costs: costs.failed,
    "p95_ratio": lambda costs: costs.p95_ratio,
    "p99_ratio": lambda costs: costs.p99_ratio,
    "users_harmed": lambda costs: costs.users_harmed,
    "wrong_of_candidate": lambda costs: costs.wrong_of_candidate,
    "extra_pod_seconds": lambda costs: costs.extra_pod_seconds,
    "extra_cpu_seconds": lambda costs: costs.extra_cpu_seconds,
    "peak_replicas": lambda costs: costs.peak_replicas,
    "promote_seconds": lambda costs: costs.promote_seconds,
    "harm_seconds": lambda costs: costs.harm_seconds,
    "changes": lambda costs: costs.changes,
}
"""What is compared, in the order of the table."""


def compare(setting: Setting, measured: Mapping[Cell, Costs], environment: Environment | None) -> Comparison:
    """The table of the runs that were measured; cells of `setting.order` that have none are told as missing."""
    strategies = [name for name in STRATEGIES if name in {cell.strategy for cell in setting.order}]
    candidates = sorted({cell.candidate for cell in setting.order}, key=lambda name: (name not in GOOD, name))
    rows = []
    for candidate in candidates:
        for strategy in strategies:
            cells = sorted(cell for cell in setting.order if (cell.strategy, cell.candidate) == (strategy, candidate))
            rows.append(_row(strategy, candidate, [measured.get(cell) for cell in cells]))
    return Comparison(setting=setting, environment=environment, rows=tuple(rows))


def expected(strategy: str, candidate: str) -> Outcome | None:
    """How a rollout ends by its strategy's definition; None for a candidate of which nobody has said whether it is good."""
    if candidate in BAD:
        return Outcome.ROLLED_BACK
    if candidate in GOOD:
        return Outcome.COMPLETED if strategy in LEAVES_STABLE else Outcome.PROMOTED
    return None


def spread(values: Iterable[float | None]) -> Spread | None:
    """Median and range of the values that are known; None without any."""
    known = [value for value in values if value is not None]
    return Spread(round(median(known), 3), min(known), max(known)) if known else None


def _row(strategy: str, candidate: str, repeats: Sequence[Costs | None]) -> Row:
    runs = tuple(costs for costs in repeats if costs is not None)
    definition = expected(strategy, candidate)
    found = {name: spread(measure(costs) for costs in runs) for name, measure in MEASURES.items()}
    return Row(
        strategy=strategy,
        candidate=candidate,
        expected=definition,
        as_defined=all(costs.outcome is definition for costs in runs) if definition and runs else None,
        missing=len(repeats) - len(runs),
        runs=runs,
        spreads={name: value for name, value in found.items() if value is not None},
    )
