"""A run over time as drawings for its page: who answered, how fast, what went wrong, and how the verdict came about."""

from collections.abc import Iterable, Sequence
from math import ceil

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator
from numpy.typing import NDArray

from impact import difference, distributions
from impact.drawing import PAINT, STYLE, legend, svg
from impact.measures import percentile
from impact.parties import Parties
from impact.summary import Summary
from impact.thinning import thinned
from impact.userlog import Request
from strategies.events import Looked
from strategies.judgement import Verdict

METRICS = {"failed": (PAINT["bad"], "solid"), "slow": (PAINT["second"], "dashed"), "wrong": (PAINT["third"], "dotted")}
PERCENTILES = {0.50: ("p50", "solid", 1.6), 0.95: ("p95", "dashed", 1.2), 0.99: ("p99", "dotted", 1.2)}
FEWEST_BINS, MOST_BINS = 20, 120
ABOVE = 113
"""Where verdicts are marked beside percents: in a strip of their own above 100."""


class Plots:
    """The drawings of one run. Each method returns an SVG element, or nothing if there is nothing to draw."""

    def __init__(self, summary: Summary, requests: Sequence[Request]) -> None:
        self._summary = summary
        self._zero = summary.started.timestamp()
        self._sent = [request for request in requests if request.sent is not None]
        ends = [phase.started.timestamp() + phase.seconds for phase in summary.phases] + [request.sent or 0.0 for request in self._sent]
        self._end = max([1.0, *(end - self._zero for end in ends)])
        self._edges = np.linspace(0.0, self._end, min(MOST_BINS, max(FEWEST_BINS, ceil(self._end))) + 1)
        self._parties = Parties(summary)

    @property
    def in_place(self) -> bool:
        """Whether both versions had the same slot, so that no share was intended."""
        return self._parties.in_place

    @property
    def bin_seconds(self) -> float:
        """How long the stretches of time are whose percentiles are drawn."""
        return float(self._edges[1])

    def shares(self, looks: Sequence[Looked]) -> str:
        """The share of the requests that went to the new version, beside the one that was intended, and when verdicts fell."""
        charged = [request for request in self._sent if self._parties.of(request)]
        if not charged or self._summary.from_version == self._summary.to_version:
            return ""
        figure, (axes,) = self._figure("shares", [f"% to {self._summary.to_version}"])
        starts = [phase.started.timestamp() - self._zero for phase in self._summary.phases]
        if starts and not self._parties.in_place:
            axes.stairs(self._intended(), [*starts, self._end], color=PAINT["ink"], linestyle="dashed", linewidth=1.2, label="intended")
        new = self._parties.new
        bins = [[self._parties.of(request) for request in own] for own in self._binned(charged)]
        served = np.array([100 * own.count(new) / len(own) if own else np.nan for own in bins])
        axes.stairs(served, self._edges, color=PAINT[new.slot], linewidth=1.6, label="got it")
        last = {look.judgement.verdict: look for look in looks}
        for verdict, look in last.items():
            if verdict is not Verdict.INCONCLUSIVE:
                self._mark(axes, look.at.timestamp() - self._zero, verdict)
        axes.set_ylim(-3, 2 * ABOVE - 100)
        axes.set_yticks([0, 25, 50, 75, 100])
        legend(axes)
        return svg(figure)

    def distribution(self) -> str:
        """The latency of both versions' answers, over all of the run."""
        return distributions.latencies(self._summary, self._sent)

    def users(self) -> str:
        """What users met at worst, by the versions that they met."""
        return distributions.users(self._summary, self._sent)

    def rates(self) -> str:
        """Requests per second by the slot that answered."""
        if not self._sent:
            return ""
        figure, (axes,) = self._figure("rates", ["requests/s"])
        self._stairs(axes, self._sent, fill=True)
        return svg(figure)

    def latencies(self) -> str:
        """The percentiles of the latency by slot, on one logarithmic scale, beside the objective."""
        both = (self._parties.old, self._parties.new)
        answers = {party: [request for request in self._sent if self._parties.of(request) == party and request.answered] for party in both}
        drawn = [party for party in both if answers[party]]
        if not drawn:
            return ""
        figure, panels = self._figure("latencies", [f"{party.label}\nms" for party in drawn])
        middles = (self._edges[:-1] + self._edges[1:]) / 2
        for axes, party in zip(panels, drawn, strict=True):
            bins = self._binned(answers[party])
            for q, (name, style, width) in PERCENTILES.items():
                values = [1000 * (percentile((request.latency for request in own), q) or np.nan) for own in bins]
                axes.plot(middles, values, color=PAINT[party.slot], linestyle=style, linewidth=width, marker=".", markersize=4, label=name)
            if self._summary.objective_seconds is not None:
                axes.axhline(1000 * self._summary.objective_seconds, color=PAINT["ink"], linewidth=1, label="objective")
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_major_formatter("{x:g}")
            axes.minorticks_off()
        limits = [limit for axes in panels for limit in axes.get_ylim()]
        for axes in panels:
            axes.set_ylim(min(limits), max(limits))
        legend(panels[0], color=PAINT["ink"])
        return svg(figure)

    def bad_answers(self) -> str:
        """Failed requests and wrong answers per second by slot; only the panels in which there is something."""
        failed, wrong = ([r for r in self._sent if r.failed], [r for r in self._sent if r.wrong])
        drawn = {title: bad for title, bad in (("failed/s", failed), ("wrong/s", wrong)) if bad}
        if not drawn:
            return ""
        figure, panels = self._figure("bad", list(drawn))
        for axes, bad in zip(panels, drawn.values(), strict=True):
            self._stairs(axes, bad, fill=False)
        return svg(figure)

    def verdict(self, looks: Sequence[Looked]) -> str:
        """The evidence of harm by metric, against the limit from which on it is proved; of an experiment, what was found so far."""
        looks = thinned(looks)
        if drawn := self._difference(looks):
            return drawn
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
        legend(axes)
        return svg(figure)

    def _difference(self, looks: Sequence[Looked]) -> str:
        """How much more often the candidate was right than stable, with the interval that it lies in, in points."""
        found = [(look.at.timestamp() - self._zero, difference.found(look.judgement)) for look in looks]
        points = [(at, *one) for at, one in found if one]
        if not points:
            return ""
        figure, (axes,) = self._figure("verdict", ["points"])
        at, middle, least, most = np.array(points, dtype=float).T
        color = PAINT[self._parties.new.slot]
        axes.fill_between(at, least, most, color=color, alpha=0.2, linewidth=0, label="where it may lie")
        axes.plot(at, middle, color=color, linewidth=1.6, marker=".", markersize=5, label="difference")
        axes.axhline(0, color=PAINT["ink"], linewidth=1, label="no difference")
        legend(axes)
        return svg(figure)

    def _mark(self, axes: Axes, at: float, verdict: Verdict) -> None:
        """When a verdict fell: above all shares, as it has none itself, and where no curve can run through its name."""
        color = PAINT["ink" if verdict is Verdict.PASS else "bad"]
        axes.vlines([at], 0, ABOVE, color=color, linewidth=0.8, linestyle="dotted")
        axes.plot([at], [ABOVE], marker="D", markersize=5, color=color, linestyle="none", clip_on=False, zorder=3)
        # the verdict is often the last thing that happens
        inwards = at > 0.9 * self._end
        axes.annotate(
            str(verdict),
            (at, ABOVE),
            xytext=(-8 if inwards else 8, 0),
            textcoords="offset points",
            horizontalalignment="right" if inwards else "left",
            verticalalignment="center_baseline",
            color=PAINT["ink"],
            fontsize=9,
        )

    def _intended(self) -> list[int]:
        """The percents of the requests that the new version was to get, in each phase."""
        new = self._parties.new.version
        return [
            100 - phase.intended_weight if phase.roles.stable.version == new else phase.intended_weight for phase in self._summary.phases
        ]

    def _binned(self, requests: Iterable[Request]) -> list[list[Request]]:
        bins: list[list[Request]] = [[] for _ in self._edges[1:]]
        for request in requests:
            if request.sent is not None and request.sent >= self._zero:
                bins[min(int((request.sent - self._zero) / self.bin_seconds), len(bins) - 1)].append(request)
        return bins

    def _stairs(self, axes: Axes, requests: Sequence[Request], *, fill: bool) -> None:
        """Per second, how many of the requests each slot had; a slot without any is left out."""
        for party in (self._parties.old, self._parties.new, None):
            own = [request for request in requests if self._parties.of(request) == party]
            if not own:
                continue
            values: NDArray[np.float64] = np.array([len(members) for members in self._binned(own)]) / self.bin_seconds
            slot, label = (party.slot, party.label) if party else (None, "charged to nobody")
            color = PAINT[slot or "bad"]
            axes.stairs(values, self._edges, color=color, linestyle=STYLE[slot], linewidth=1.6, label=label)
            if fill:
                axes.stairs(values, self._edges, color=color, alpha=0.12, fill=True)
        axes.set_ylim(bottom=0)
        legend(axes)

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
