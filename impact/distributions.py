"""What a run's requests and users were like as a whole, as drawings: how long answers took, and what each user met at worst."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from impact.drawing import PAINT, STYLE, legend, svg
from impact.parties import Parties
from impact.summary import Summary
from impact.thinning import MOST_POINTS
from impact.userlog import Request

WORST = {
    "failed request": ("bad", "////"),
    "wrong answer": ("third", "...."),
    "slow answer": ("second", "\\\\\\\\"),
    "only good ones": ("grid", ""),
}
"""What a user met at worst, the worst first: the colour and the hatch that it is drawn with."""


def latencies(summary: Summary, requests: Sequence[Request]) -> str:
    """For each version, which share of its answers took at most how long; nothing without answers."""
    parties = Parties(summary)
    answered = [request for request in requests if request.answered]
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    figure.set_gid("distribution")
    axes = figure.subplots()
    for party in (parties.old, parties.new):
        own = np.sort([1000 * request.latency for request in answered if parties.of(request) == party])
        if own.size:
            shares = np.linspace(0, 100, min(MOST_POINTS, own.size + 1))[1:]
            points = own[np.ceil(shares / 100 * own.size).astype(int) - 1]
            label = f"{party.label} ({own.size} answers)"
            axes.plot(points, shares, color=PAINT[party.slot], linestyle=STYLE[party.slot], linewidth=1.8, label=label)
    if not axes.get_lines():
        return ""
    if summary.objective_seconds is not None:
        axes.axvline(1000 * summary.objective_seconds, color=PAINT["ink"], linewidth=1, label="objective")
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.minorticks_off()
    axes.set_ylim(0, 101)
    axes.set_yticks([0, 25, 50, 75, 95])
    axes.grid(linewidth=0.6)
    axes.set_xlabel("milliseconds from the intended time")
    axes.set_ylabel("% of the answers")
    legend(axes)
    return svg(figure)


def worst_met(summary: Summary, requests: Sequence[Request]) -> dict[str, Counter[str]]:
    """By which versions users met ("only v1"), how many of them met what at worst. Users whose requests no version answered are apart."""
    parties = Parties(summary)
    met: dict[int, set[str]] = {}
    worst: dict[int, int] = {}
    for request in requests:
        if request.sent is None:
            continue
        party = parties.of(request)
        met.setdefault(request.user, set()).update({party.name} if party else ())
        slow = summary.objective_seconds is not None and request.latency > summary.objective_seconds
        rank = 0 if request.failed else 1 if request.wrong else 2 if slow else 3
        worst[request.user] = min(rank, worst.get(request.user, 3))
    groups: dict[str, Counter[str]] = {}
    names = list(WORST)
    for user, parties_met in met.items():
        only = {"old": parties.old.version, "new": parties.new.version}
        group = "both versions" if len(parties_met) > 1 else f"only {only[next(iter(parties_met))]}" if parties_met else "neither"
        groups.setdefault(group, Counter())[names[worst[user]]] += 1
    return dict(sorted(groups.items()))


def users(summary: Summary, requests: Sequence[Request]) -> str:
    """The users by what they met at worst, a bar for each group of them that met the same versions; nothing without users."""
    groups = worst_met(summary, requests)
    if not groups:
        return ""
    figure = Figure(figsize=(9, 1.2 + 0.5 * len(groups)), layout="constrained")
    figure.set_gid("users")
    axes = figure.subplots()
    rows = list(groups)[::-1]
    left = np.zeros(len(rows))
    for name, (color, hatch) in WORST.items():
        widths = np.array([groups[row][name] for row in rows])
        bars = axes.barh(
            rows, widths, left=left, color=PAINT[color], alpha=0.45, hatch=hatch, edgecolor=PAINT["ink"], linewidth=0.6, label=name
        )
        axes.bar_label(bars, [str(width) if width else "" for width in widths], label_type="center")
        left += widths
    axes.set_xlabel("users")
    axes.set_xlim(0, left.max() * 1.01)
    legend(axes)
    return svg(figure)
