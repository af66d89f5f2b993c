"""The tutorial's pictures of prediction and serving: what each way costs, from docs/measured/serving.json, one for each page.

All show the same measurement, but each page what it is about, with its own way filled.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from handbook.pictures import FOLDER, standing_alone
from impact.drawing import PAINT, svg

SOURCE = Path(__file__).parents[1] / "docs" / "measured" / "serving.json"
PANELS = {
    "p50 of an answer, ms": ("p50_seconds", 1000.0),
    "p99 of an answer, ms": ("p99_seconds", 1000.0),
    "switching the model, s": ("switch_seconds", 1.0),
    "bytes moved to switch, kB": ("switch_bytes", 1e-3),
    "new data to prediction, s": ("fresh_seconds", 1.0),
    "predictions per second": ("per_second", 1.0),
    "predictions per CPU-second": ("per_cpu_second", 1.0),
    "memory, MB": ("rss_bytes", 1e-6),
}
"""By the title of a panel: what of the measurement it shows, and the factor to its unit."""


class Page(NamedTuple):
    """The way of serving that a page of the tutorial is about, and the panels on its picture."""

    way: str
    panels: tuple[str, str, str]


PAGES = {
    "batch": Page("batch", ("predictions per second", "predictions per CPU-second", "new data to prediction, s")),
    "online": Page("service", ("p50 of an answer, ms", "p99 of an answer, ms", "new data to prediction, s")),
    "embedded": Page("embedded", ("p50 of an answer, ms", "switching the model, s", "bytes moved to switch, kB")),
    "as-data": Page("data", ("p50 of an answer, ms", "switching the model, s", "bytes moved to switch, kB")),
    "as-a-service": Page("service", ("p50 of an answer, ms", "predictions per CPU-second", "memory, MB")),
    "in-a-database": Page("database", ("p50 of an answer, ms", "new data to prediction, s", "switching the model, s")),
}
"""By the name of a page of the tutorial."""


def text(page: str) -> str:
    """What is to be seen on the picture of a page."""
    way, panels = PAGES[page]
    return f"The ways of serving, measured, {way} filled: {'; '.join(panels)}."


def draw() -> None:
    """Write docs/pictures/serving-PAGE.svg for each page: a bar for the median of the repeats, and a line for their range."""
    measured: Mapping[str, Sequence[Mapping[str, float]]] = json.loads(SOURCE.read_text(encoding="utf-8"))["strategies"]
    FOLDER.mkdir(parents=True, exist_ok=True)
    for page, (own, panels) in PAGES.items():
        figure = Figure(figsize=(9, 2.6), layout="constrained")
        figure.set_gid(f"serving-{page}")
        for axes, title in zip(figure.subplots(1, len(panels)), panels, strict=True):
            _panel(axes, title, measured, own)
        (FOLDER / f"serving-{page}.svg").write_text(standing_alone(svg(figure), text(page)), encoding="utf-8")


def _panel(axes: Axes, title: str, measured: Mapping[str, Sequence[Mapping[str, float]]], own: str) -> None:
    key, factor = PANELS[title]
    known = {way: [factor * one[key] for one in repeats if key in one] for way, repeats in measured.items()}
    ways = [way for way, values in known.items() if values]
    filled = [PAINT["blue"] if way == own else "none" for way in ways]
    axes.barh(ways, [median(known[way]) for way in ways], color=filled, edgecolor=PAINT["blue"], linewidth=1.6, height=0.6)
    axes.hlines(ways, [min(known[way]) for way in ways], [max(known[way]) for way in ways], color=PAINT["ink"], linewidth=1.2)
    axes.set_xlim(left=0)
    axes.set_title(title, fontsize=10, loc="left")
    axes.grid(axis="x", linewidth=0.6)
    axes.invert_yaxis()
