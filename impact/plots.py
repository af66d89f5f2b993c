"""A run over time as SVG drawings that live inside an HTML page. Only this and impact/comparison_plots import matplotlib.

Text stays text, and colours are variables of the page's style sheet, so that one drawing fits a light and a dark page:
matplotlib draws with the placeholder colours of PAINT, which are then replaced by `var(--name)`. Each slot has a line
style besides its colour, for readers who do not tell colours apart.
"""

import io
import re
import warnings
from collections.abc import Iterable, Sequence
from math import ceil

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator
from numpy.typing import NDArray

from impact.measures import percentile
from impact.summary import Summary
from impact.userlog import Request
from strategies.events import Looked
from strategies.traffic import Slot

PAINT = {
    "ink": "#010101",
    "grid": "#010102",
    "band": "#010103",
    "blue": "#010104",
    "green": "#010105",
    "bad": "#010106",
    "second": "#010107",
    "third": "#010108",
}
STYLE = {Slot.BLUE: "solid", Slot.GREEN: (0, (5, 1.5)), None: "dotted"}
METRICS = {"failed": (PAINT["bad"], "solid"), "slow": (PAINT["second"], "dashed"), "wrong": (PAINT["third"], "dotted")}
PERCENTILES = {0.50: ("p50", "solid", 1.6), 0.95: ("p95", "dashed", 1.2), 0.99: ("p99", "dotted", 1.2)}
FEWEST_BINS, MOST_BINS = 20, 120
mpl.rcParams.update(
    {
        "svg.fonttype": "none",
        "svg.hashsalt": "report",
        "text.parse_math": False,
        "font.size": 10,
        "legend.frameon": False,
        "axes.axisbelow": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), PAINT["ink"]),
        "grid.color": PAINT["grid"],
    }
)


class Plots:
    """The drawings of one run. Each method returns an SVG element, or nothing if there is nothing to draw."""

    def __init__(self, summary: Summary, requests: Sequence[Request]) -> None:
        self._summary = summary
        self._zero = summary.started.timestamp()
        self._sent = [request for request in requests if request.sent is not None]
        ends = [phase.started.timestamp() + phase.seconds for phase in summary.phases] + [request.sent or 0.0 for request in self._sent]
        self._end = max([1.0, *(end - self._zero for end in ends)])
        self._edges = np.linspace(0.0, self._end, min(MOST_BINS, max(FEWEST_BINS, ceil(self._end))) + 1)
        self._labels: dict[Slot | None, str] = {None: "charged to nobody"}
        for phase in summary.phases:
            for figures in (phase.roles.stable, phase.roles.candidate):
                self._labels[figures.slot] = f"{figures.slot}: {figures.version}"

    @property
    def bin_seconds(self) -> float:
        """How long the stretches of time are whose percentiles are drawn."""
        return float(self._edges[1])

    def rates(self) -> str:
        """Requests per second by the slot that answered."""
        if not self._sent:
            return ""
        figure, (axes,) = self._figure("rates", ["requests/s"])
        self._stairs(axes, self._sent, fill=True)
        return as_svg(figure)

    def latencies(self) -> str:
        """The percentiles of the latency by slot, on one logarithmic scale, beside the objective."""
        answers = {slot: [request for request in self._sent if request.slot is slot and request.answered] for slot in Slot}
        drawn = [slot for slot in Slot if answers[slot]]
        if not drawn:
            return ""
        figure, panels = self._figure("latencies", [f"{self._label(slot)}\nms" for slot in drawn])
        middles = (self._edges[:-1] + self._edges[1:]) / 2
        for axes, slot in zip(panels, drawn, strict=True):
            bins = self._binned(answers[slot])
            for q, (name, style, width) in PERCENTILES.items():
                values = [1000 * (percentile((request.latency for request in own), q) or np.nan) for own in bins]
                axes.plot(middles, values, color=PAINT[slot], linestyle=style, linewidth=width, marker=".", markersize=4, label=name)
            if self._summary.objective_seconds is not None:
                axes.axhline(1000 * self._summary.objective_seconds, color=PAINT["ink"], linewidth=1, label="objective")
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_major_formatter("{x:g}")
            axes.minorticks_off()
        limits = [limit for axes in panels for limit in axes.get_ylim()]
        for axes in panels:
            axes.set_ylim(min(limits), max(limits))
        _legend(panels[0], color=PAINT["ink"])
        return as_svg(figure)

    def bad_answers(self) -> str:
        """Failed requests and wrong answers per second by slot; only the panels in which there is something."""
        failed, wrong = ([r for r in self._sent if r.failed], [r for r in self._sent if r.wrong])
        drawn = {title: bad for title, bad in (("failed/s", failed), ("wrong/s", wrong)) if bad}
        if not drawn:
            return ""
        figure, panels = self._figure("bad", list(drawn))
        for axes, bad in zip(panels, drawn.values(), strict=True):
            self._stairs(axes, bad, fill=False)
        return as_svg(figure)

    def verdict(self, looks: Sequence[Looked]) -> str:
        """The evidence of harm by metric, against the limit from which on it is proved."""
        points = [(look.at.timestamp() - self._zero, metric) for look in looks for metric in look.judgement.metrics]
        if not points:
            return ""
        figure, (axes,) = self._figure("verdict", ["evidence of harm"])
        for name in dict.fromkeys(metric.metric for _, metric in points):
            color, style = METRICS.get(name, (PAINT["ink"], "dashdot"))
            path = [(at, metric.evidence) for at, metric in points if metric.metric == name]
            axes.plot(*zip(*path, strict=True), color=color, linestyle=style, linewidth=1.6, marker=".", markersize=5, label=name)
        limits = sorted({metric.limit for _, metric in points})
        for limit in limits:
            axes.axhline(limit, color=PAINT["ink"], linewidth=1, label="limit" if limit == limits[0] else "")
        axes.set_ylim(bottom=max(axes.get_ylim()[0], -4 * limits[-1]), top=max(axes.get_ylim()[1], 1.2 * limits[-1]))
        _legend(axes)
        return as_svg(figure)

    def _label(self, slot: Slot | None) -> str:
        return self._labels.get(slot, str(slot))

    def _binned(self, requests: Iterable[Request]) -> list[list[Request]]:
        bins: list[list[Request]] = [[] for _ in self._edges[1:]]
        for request in requests:
            if request.sent is not None and request.sent >= self._zero:
                bins[min(int((request.sent - self._zero) / self.bin_seconds), len(bins) - 1)].append(request)
        return bins

    def _stairs(self, axes: Axes, requests: Sequence[Request], *, fill: bool) -> None:
        """Per second, how many of the requests each slot had; a slot without any is left out."""
        for slot in (*Slot, None):
            own = [request for request in requests if request.slot is slot]
            if not own:
                continue
            values: NDArray[np.float64] = np.array([len(members) for members in self._binned(own)]) / self.bin_seconds
            color = PAINT[slot or "bad"]
            axes.stairs(values, self._edges, color=color, linestyle=STYLE[slot], linewidth=1.6, label=self._label(slot))
            if fill:
                axes.stairs(values, self._edges, color=color, alpha=0.12, fill=True)
        axes.set_ylim(bottom=0)
        _legend(axes)

    def _figure(self, name: str, titles: Sequence[str]) -> tuple[Figure, list[Axes]]:
        """Panels above each other over the same time, with the phases marked and, where there is room, named."""
        figure = Figure(figsize=(9, 0.9 + 1.7 * len(titles)), layout="constrained")
        figure.set_gid(name)
        panels = list(figure.subplots(len(titles), 1, sharex=True, squeeze=False)[:, 0])
        for axes, title in zip(panels, titles, strict=True):
            axes.set_ylabel(title)
            axes.grid(axis="y", linewidth=0.6)
            for number, phase in enumerate(self._summary.phases, start=1):
                start = phase.started.timestamp() - self._zero
                axes.axvline(start, color=PAINT["grid"], linewidth=1, zorder=0)
                if number % 2 == 0:
                    axes.axvspan(start, start + phase.seconds, color=PAINT["band"], linewidth=0, zorder=0)
                room = 110 * phase.seconds / self._end
                if axes is panels[0] and room > 1.5:
                    label = f"{number} {phase.name}" if len(phase.name) + 3 < room else str(number)
                    middle = start + phase.seconds / 2
                    axes.text(middle, 1.03, label, transform=axes.get_xaxis_transform(), horizontalalignment="center", fontsize=9)
        panels[-1].set_xlim(0, self._end)
        panels[-1].set_xlabel("seconds since the run began")
        return figure, panels


def _legend(axes: Axes, color: str = "") -> None:
    """Above the panel, and in the first one above the names of the phases."""
    spec = axes.get_subplotspec()
    height = 1.12 if spec and spec.is_first_row() else 1.01
    legend = axes.legend(loc="lower left", bbox_to_anchor=(0, height), ncols=4, borderaxespad=0)
    for line in legend.get_lines() if color else ():
        line.set_color(color)


def as_svg(figure: Figure) -> str:
    """The figure as an element to be put into a page: its own ids, no size of its own, the page's colours and style."""
    file = io.StringIO()
    with warnings.catch_warnings():
        # the page's reader has fonts of their own; matplotlib's is only used to measure
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.draw_without_rendering()  # the layout has to know the final tick labels, or they are cut off
        figure.savefig(file, format="svg", transparent=True, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1), count=1)
    svg = re.sub(r'( id="|ref="#|url\(#)', rf"\1{figure.get_gid()}-", svg)
    svg = re.sub(r"(\d\.\d\d)\d+", r"\1", svg)
    for name, color in PAINT.items():
        svg = svg.replace(color, f"var(--{name})")
    return svg
