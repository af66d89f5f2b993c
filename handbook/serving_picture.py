"""The tutorial's picture of the ways of serving: what an answer and a switch of the model take, from docs/measured/serving.json."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from matplotlib.figure import Figure

from handbook.pictures import FOLDER, standing_alone
from impact.drawing import PAINT, svg

SOURCE = Path(__file__).parents[1] / "docs" / "measured" / "serving.json"
PANELS = {
    "p50 of an answer, ms": ("p50_seconds", 1000.0),
    "p99 of an answer, ms": ("p99_seconds", 1000.0),
    "switching the model, s": ("switch_seconds", 1.0),
}
TEXT = "The ways of serving, measured: what half of the answers take, what 99 of 100 take, and what switching the model takes."


def draw() -> None:
    """Write docs/pictures/serving.svg: a bar for the median of the repeats, and a line for their range."""
    measured: Mapping[str, Sequence[Mapping[str, float]]] = json.loads(SOURCE.read_text(encoding="utf-8"))["strategies"]
    figure = Figure(figsize=(9, 2.6), layout="constrained")
    figure.set_gid("serving")
    for axes, (title, (key, factor)) in zip(figure.subplots(1, len(PANELS)), PANELS.items(), strict=True):
        known = {way: [factor * one[key] for one in repeats if key in one] for way, repeats in measured.items()}
        ways = [way for way, values in known.items() if values]
        axes.barh(ways, [median(known[way]) for way in ways], color="none", edgecolor=PAINT["blue"], linewidth=1.6, height=0.6)
        axes.hlines(ways, [min(known[way]) for way in ways], [max(known[way]) for way in ways], color=PAINT["ink"], linewidth=1.2)
        axes.set_xlim(left=0)
        axes.set_title(title, fontsize=10, loc="left")
        axes.grid(axis="x", linewidth=0.6)
        axes.invert_yaxis()
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "serving.svg").write_text(standing_alone(svg(figure), TEXT), encoding="utf-8")
