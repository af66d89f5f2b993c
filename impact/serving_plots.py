"""The comparison of the serving strategies as SVG drawings in the style of a run's report: a bar for each strategy, with its range."""

from collections.abc import Mapping
from statistics import median
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from impact.drawing import PAINT, svg
from impact.serving_table import MEASURES

DECADES = 30.0
"""From this ratio of the largest to the smallest on, the axis is logarithmic: else only one bar could be seen."""


def bars(measured: Mapping[str, Any], key: str) -> str:
    """The medians of one measure; empty if it is known of no strategy or zero in all."""
    measure = MEASURES[key]
    known = {
        strategy: [measure.factor * one[key] for one in repeats if key in one]
        for strategy, repeats in measured["strategies"].items()
        if any(one.get(key) is not None for one in repeats)
    }
    values = [value for each in known.values() for value in each]
    if not any(values):
        return ""
    figure = Figure(figsize=(9, 2.4), layout="constrained")
    figure.set_gid(key.replace("_", "-"))
    axes = figure.subplots()
    places = range(len(known))
    # a bar on a logarithmic axis begins nowhere, so its length would mean nothing: there a point is drawn
    if min(values) > 0 and max(values) / min(values) > DECADES:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.plot(places, list(map(median, known.values())), "D", color=PAINT["blue"], markersize=8)
    else:
        axes.bar(places, list(map(median, known.values())), width=0.5, color="none", edgecolor=PAINT["blue"], hatch="//", linewidth=1.6)
    axes.vlines(places, list(map(min, known.values())), list(map(max, known.values())), color=PAINT["ink"], linewidth=1.2)
    axes.set_xticks(places, list(known))
    axes.set_xlim(-0.5, len(known) - 0.5)
    axes.set_ylabel(measure.unit or "number")
    axes.grid(axis="y", linewidth=0.6)
    return svg(figure)
