"""The cells of a comparison in words: the same on the terminal, in Markdown, in the page and in sentences."""

from impact.comparison import Row, Spread
from impact.wording import UNKNOWN
from strategies.events import Outcome

TITLES = {
    "downtime_seconds": "downtime, s",
    "failed": "failed requests",
    "p95_ratio": "p95 during, of before",
    "p99_ratio": "p99 during, of before",
    "users_harmed": "users who met something bad",
    "wrong_of_candidate": "wrong answers of the new version",
    "extra_pod_seconds": "extra replica-seconds",
    "extra_cpu_seconds": "extra CPU-seconds",
    "peak_replicas": "replicas at the peak",
    "promote_seconds": "time to promote, s",
    "harm_seconds": "verdict to last bad request, s",
    "changes": "changes of routes and replicas",
}
MEANINGS = {
    "downtime_seconds": "the longest time in which every request failed",
    "failed": "requests that got anything but a 2xx",
    "p95_ratio": "the answers' 95th percentile after the baseline, as a multiple of the baseline's",
    "p99_ratio": "the same of the 99th percentile",
    "users_harmed": "users with a failed request, or with a wrong answer of the new version",
    "wrong_of_candidate": "answers with 200 that named the wrong class; a good version gives some too",
    "extra_pod_seconds": "replica-seconds beyond what all the traffic needs; they grow with the holds",
    "extra_cpu_seconds": "CPU-seconds of the servers beyond what they would have used had the baseline gone on",
    "peak_replicas": "the most replicas that there were at once",
    "promote_seconds": "from the end of the baseline to the promotion, holds included",
    "harm_seconds": "from the verdict to the last request that the bad version got or that nobody answered",
    "changes": "routes written, replicas started and replicas ended",
}


def cell(row: Row | None, measure: str, *, ranges: bool = True) -> str:
    """A measure of a row: median, and with `ranges` the range where there is one; or that it is not known."""
    value = row.spreads.get(measure) if row else None
    if value is None:
        return UNKNOWN
    return (told(value) if ranges else number(value.median)) + ("×" if measure.endswith("_ratio") else "")


def told(value: Spread) -> str:
    """A measure as its median, and its range where it has one: 4 (3–6)."""
    middle, low, high = (number(figure) for figure in (value.median, value.low, value.high))
    return middle if low == high else f"{middle} ({low}–{high})"


def number(figure: float) -> str:
    """As many digits as mean something."""
    if figure == round(figure) or abs(figure) >= 100:
        return f"{figure:.0f}"
    return f"{figure:.2f}" if abs(figure) < 10 else f"{figure:.1f}"


def repeats(row: Row) -> str:
    """How often a row was performed, in words."""
    return f"{len(row.runs)} repeat{'s' * (len(row.runs) != 1)}"


def ending(row: Row) -> str:
    """How a row's repeats ended: the outcome, or each with its count; and whether that is what the definition says."""
    if not row.runs:
        return "not run"
    outcomes = [str(costs.outcome or "not ended").replace("_", " ") for costs in row.runs]
    counted = {outcome: outcomes.count(outcome) for outcome in sorted(set(outcomes))}
    ends = ", ".join(outcome if len(counted) == 1 else f"{count}× {outcome}" for outcome, count in counted.items())
    missing = f" ({row.missing} not run)" if row.missing else ""
    if row.as_defined is False and row.expected:
        return f"{ends} (not {_plain(row.expected)}, as defined){missing}"
    return ends + missing


def _plain(outcome: Outcome) -> str:
    return str(outcome).replace("_", " ")
