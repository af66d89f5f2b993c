"""A comparison as SVG drawings in the style of a run's report: a bar for each strategy and candidate, with its range."""

from matplotlib.figure import Figure

from impact.comparison import Comparison
from impact.comparison_cells import TITLES
from impact.drawing import PAINT, svg

BARS = (
    (PAINT["green"], ""),
    (PAINT["bad"], "//"),
    (PAINT["second"], ".."),
    (PAINT["third"], "xx"),
    (PAINT["blue"], "--"),
)
"""Colour and hatch of each candidate, for readers who do not tell colours apart."""


def bars(comparison: Comparison, measure: str) -> str:
    """The medians of one measure; empty if it is known of no run or zero in all."""
    rows = [row for row in comparison.rows if measure in row.spreads]
    if not any(row.spreads[measure].high for row in rows):
        return ""
    figure = Figure(figsize=(9, 2.6), layout="constrained")
    figure.set_gid(measure.replace("_", "-"))
    axes = figure.subplots()
    strategies, candidates = comparison.strategies, comparison.candidates
    width = 0.8 / len(candidates)
    for number, candidate in enumerate(candidates):
        own = [row for row in rows if row.candidate == candidate]
        places = [strategies.index(row.strategy) + (number - (len(candidates) - 1) / 2) * width for row in own]
        spreads = [row.spreads[measure] for row in own]
        color, hatch = BARS[number % len(BARS)]
        axes.bar(
            places,
            [spread.median for spread in spreads],
            width=0.9 * width,
            color="none",
            edgecolor=color,
            hatch=hatch,
            linewidth=1.6,
            label=candidate,
        )
        axes.vlines(places, [spread.low for spread in spreads], [spread.high for spread in spreads], color=PAINT["ink"], linewidth=1.2)
    axes.set_xticks(range(len(strategies)), strategies)
    axes.set_xlim(-0.5, len(strategies) - 0.5)
    axes.set_ylabel(TITLES[measure])
    axes.grid(axis="y", linewidth=0.6)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.01), ncols=len(candidates), borderaxespad=0)
    return svg(figure)
