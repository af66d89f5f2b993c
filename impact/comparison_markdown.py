"""A comparison as Markdown: a table for each candidate, measures down and strategies across, the published ticks beside them."""

import shlex

from impact import wording
from impact.comparison import MEASURES, Comparison
from impact.comparison_cells import TITLES, cell, ending
from impact.comparison_claims import FEWEST_REPEATS, claim_of, contradictions, hints

_LABS = {
    True: "Each rollout had a lab of its own.",
    False: "All rollouts had the same lab, which was put back to the first version between them.",
}
_SOURCES = (
    " Replica-seconds are counted from the runs' records of what was started and ended. CPU-seconds are what the replicas' own meters "
    "(process_cpu_seconds_total) told the lab's Prometheus; the proxy's and the users' are not in them."
)
HINTS = f"Against an order of it, but in fewer than {FEWEST_REPEATS} repeats, which is a hint and no contradiction:"
CONTRADICTED = "What was measured contradicts the published table:"
NO_CONTRADICTION = "Nothing that was measured contradicts the published table."


def markdown(comparison: Comparison, *, ranges: bool = True) -> str:
    """The whole table, what contradicts the published one, and how it was measured; without `ranges` the table has medians alone."""
    tables = [line for candidate in comparison.candidates for line in _table(comparison, candidate, ranges=ranges)]
    told = [f"- {sentence}." for sentence in contradictions(comparison)]
    against = [CONTRADICTED, "", *told] if told else [NO_CONTRADICTION]
    seen = [f"- {sentence}." for sentence in hints(comparison)]
    hinted = ["", HINTS, "", *seen] if seen else []
    return "\n".join([*tables, *against, *hinted, "", *account(comparison, ranges=ranges)]) + "\n"


def lines(comparison: Comparison, candidate: str, *, ranges: bool = True) -> list[tuple[str, list[str]]]:
    """The rows of a candidate's table: what it is, and a cell for each strategy."""
    rows = [comparison.row(strategy, candidate) for strategy in comparison.strategies]
    found = [("outcome", [ending(row) if row else "" for row in rows])]
    for measure in MEASURES:
        if all(row is None or measure not in row.spreads for row in rows):
            continue
        found.append((TITLES[measure], [cell(row, measure, ranges=ranges) for row in rows]))
        if claim := claim_of(measure, candidate):
            found.append((f"published: {claim.title}", [claim.mark(strategy) for strategy in comparison.strategies]))
    return found


def account(comparison: Comparison, *, ranges: bool = True) -> list[str]:
    """How it was measured, in sentences."""
    setting, environment = comparison.setting, comparison.environment
    machine = f" on {wording.machine(environment)}" if environment else ""
    brackets = ", with its range in brackets" if ranges else ""
    times = "once" if setting.repeats == 1 else f"{setting.repeats} times, so each figure is a median{brackets}"
    slow = "" if setting.objective_seconds is None else f" Slower than {setting.objective_seconds:g} s counted as slow."
    several = (
        ""
        if setting.repeats >= FEWEST_REPEATS
        else f" An order of the published table is contradicted only by {FEWEST_REPEATS} repeats or more."
    )
    return [
        f"Measured by `{shlex.join(setting.command)}`{machine} ({setting.platform} platform): each rollout {times}, "
        f"{setting.rate:g} requests/s of {setting.users} users on {setting.replicas} replicas. Holds: {setting.hold_seconds:g} s of "
        f"each analysis (blue-green has two), {setting.baseline_seconds:g} s of baseline, {setting.keep_seconds:g} s of keep. "
        f"The order was shuffled by seed {setting.seed}.{slow}{several}",
        _LABS[setting.platform == "local"] + _SOURCES,
    ]


def _table(comparison: Comparison, candidate: str, *, ranges: bool) -> list[str]:
    strategies = comparison.strategies
    return [
        f"| {candidate} | {' | '.join(strategies)} |",
        f"|---|{'--:|' * len(strategies)}",
        *(f"| {title} | {' | '.join(cells)} |" for title, cells in lines(comparison, candidate, ranges=ranges)),
        "",
    ]
