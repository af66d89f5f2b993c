"""The comparison of the serving strategies as Markdown, from what was measured."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple


class Measure(NamedTuple):
    """How a figure is shown: its title, the factor to its unit, and what it means."""

    title: str
    factor: float
    unit: str
    meaning: str


MEASURES = {
    "fresh_seconds": Measure(
        "new data to prediction",
        1000.0,
        "ms",
        "from new data until their prediction is there; online from the click on a changed case until the page shows it, the median; "
        "of the database from a file of new rows until a batch has predicted all of them and the page shows the last; of the batch without "
        "the page",
    ),
    "p50_seconds": Measure("answer p50", 1000.0, "ms", "what the page's code waits for one prediction, the median"),
    "p99_seconds": Measure("answer p99", 1000.0, "ms", "what the page's code waits for one prediction, exceeded by one of a hundred"),
    "page_p50_seconds": Measure("page p50", 1000.0, "ms", "from the click until the page is drawn anew, without the browser's painting"),
    "page_p99_seconds": Measure("page p99", 1000.0, "ms", "the same, exceeded by one of a hundred"),
    "per_second": Measure("predictions per second", 1.0, "", "by one client that asks one case after the other, or by the batch"),
    "per_cpu_second": Measure("predictions per CPU-second", 1.0, "", "of whoever asks and whoever answers together"),
    "rss_bytes": Measure(
        "memory",
        1e-6,
        "MB",
        "resident, of a server of the strategy's one page, and of the service with it where there is one; of the batch the most that was "
        "seen while it ran",
    ),
    "switch_seconds": Measure(
        "switching the model",
        1.0,
        "s",
        "from the decision until the page shows its visitor an answer of the new version: the artifact is made and the page's server "
        "started anew (embedded), the configuration is changed and the page's server (data) or the service (service) started anew, or a "
        "batch is run (database); what need not be started anew stays up",
    ),
    "switch_restarts": Measure(
        "restarts", 1.0, "", "processes that serve and are others after the switch than before; a batch serves nobody"
    ),
    "switch_bytes": Measure("bytes moved", 1e-3, "kB", "the artifact, the model, or what was written into the database"),
}
AT_THE_PAGE = 2
"""The format of figures from which on they are what is said above."""
EARLIER = (
    "An earlier version measured this: a switch ended with the answer to somebody who had just come and saw no page, restarts were told, "
    "not counted, memory is that of a server of all pages, and online the time from new data is the p50 of an answer."
)
MOMENTS = {"before": "before", "during": "while it is away", "start": "started while it is away", "after": "once it is back"}
AWAY = {
    "store": "Its folder is renamed.",
    "service": "Its process is ended.",
    "database": "Its file is renamed, and a folder of its name put there.",
}
"""How each part is taken away."""
ASKED = (
    "The page of each strategy is asked: one that is open all along, and one whose server starts while the part is away; of the service it "
    "is the service that starts then, unless it is what is away. A batch is run before; one loses the part after its first rows; one "
    "starts without it; and the one that lost it is run again."
)


def markdown(measured: Mapping[str, Any]) -> str:
    """A table of what each strategy costs, as median and range of the repeats; and for each part that was down what was said."""
    lines = ["# Serving strategies, measured", "", *account(measured), "", *table(measured), ""]
    lines += [f"- *{measure.title}*: {measure.meaning}." for measure in MEASURES.values()]
    for part, said in measured["down"].items():
        lines += [
            "",
            f"## When the {part} is down",
            "",
            f"{AWAY[part]} {ASKED}",
            "",
            f"| | {' | '.join(MOMENTS.values())} |",
            "|---" * (len(MOMENTS) + 1) + "|",
        ]
        lines += [f"| {strategy} | {' | '.join(told[moment] for moment in MOMENTS)} |" for strategy, told in said.items()]
    return "\n".join(lines) + "\n"


def table(measured: Mapping[str, Any], *, ranges: bool = True) -> list[str]:
    """The lines of the table of what each strategy costs; without `ranges` as medians alone, for where there is little room."""
    strategies = list(measured["strategies"])
    head = [f"| | {' | '.join(strategies)} |", f"|---|{'--:|' * len(strategies)}"]
    return head + [f"| {title} | {' | '.join(cells)} |" for title, cells in rows(measured, ranges=ranges)]


def account(measured: Mapping[str, Any]) -> list[str]:
    """How it was measured, in sentences."""
    times = "once" if measured["repeats"] == 1 else f"{measured['repeats']} times, so each figure is a median, with its range in brackets"
    told = [
        f"Measured by `{measured['command']}` at {measured['began']} on {measured['platform']} with {measured['processors']} processors: "
        f"each {times}. Each was asked for {measured['seconds']:g} s, and the batch predicted {measured['rows']} new rows."
    ]
    return told if measured.get("format", 1) >= AT_THE_PAGE else [*told, EARLIER]


def rows(measured: Mapping[str, Any], *, ranges: bool = True) -> list[tuple[str, list[str]]]:
    """Of each measure its title with its unit, and a cell for each strategy: the median, with its range unless without `ranges`."""
    found = []
    for key, measure in MEASURES.items():
        values = [[one.get(key) for one in repeats] for repeats in measured["strategies"].values()]
        title = f"{measure.title}, {measure.unit}" if measure.unit else measure.title
        found.append((title, [_cell(each, measure.factor, ranges=ranges) for each in values]))
    return found


def _cell(values: Sequence[float | None], factor: float, *, ranges: bool) -> str:
    known = [factor * value for value in values if value is not None]
    if not known:
        return "–"
    low, middle, high = (_figure(value) for value in (min(known), median(known), max(known)))
    return f"{middle} ({low}–{high})" if ranges and low != high else middle


def _figure(value: float) -> str:
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}"
