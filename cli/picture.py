"""The live picture of a run as text: its phases, both versions, the share that was asked for and served, the paths to the verdict.

Pure, and right without colours and in 80 columns: whatever is drawn is also said in numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from impact.difference import Difference, found
from impact.measures import latency_percentile_ms, sent_since
from impact.sides import Sides
from impact.userlog import Request
from strategies.events import AnyEvent, Looked, PhaseStarted, Settled, StepEnded, StepStarted
from strategies.judgement import Judgement
from strategies.plan import Plan, Promote
from strategies.run import Run
from strategies.traffic import Slot

if TYPE_CHECKING:
    from rich.console import RenderableType

RECENT = 5
"""Seconds that the figures look back."""
SPARKS = "▁▂▃▄▅▆▇█"
SPARK_SECONDS = 20
"""Seconds that a sparkline looks back, one mark for each."""
USUAL_NAME = 8
"""Columns for the name of a metric, beside which a path of all these seconds has room."""
BAR = 30
WIDEST = 100
NARROW = 76
"""Columns from which on a version's figures have room beside each other."""


@dataclass
class Seen:
    """What the events so far have told.

    Attributes:
        phases: the names of the phases and when each began, epoch seconds.
        doing: the step under way.
        doing_since: when it began, epoch seconds.
        weight: the intended share of the slot that is not stable, whole percents.
        since: since when the shares are those of now, epoch seconds.
        stable: the slot that is stable; None while it is the one from the start.
        judgement: the newest look of the analysis under way.
        paths: the evidence of the looks of this analysis, by metric.
    """

    phases: list[tuple[str, float]] = field(default_factory=list)
    doing: str = ""
    doing_since: float = 0.0
    weight: int = 0
    since: float = 0.0
    stable: Slot | None = None
    judgement: Judgement | None = None
    paths: dict[str, list[float]] = field(default_factory=dict)

    def take(self, event: AnyEvent, plan: Plan | None) -> None:
        """What one more event of a run with that plan tells."""
        match event:
            case StepStarted(at=at, title=title):
                self.doing, self.doing_since = title, at.timestamp()
            case StepEnded(index=index, way_back=False) if plan and isinstance(step := plan.steps[index], Promote):
                self.stable, self.weight = step.slot, 0
            case PhaseStarted(at=at, name=name, weight=weight):
                self.phases.append((name, at.timestamp()))
                self.weight, self.since, self.judgement, self.paths = weight, at.timestamp(), None, {}
            case Settled(at=at):
                self.since = at.timestamp()
            case Looked(judgement=judgement):
                self.judgement = judgement
                for metric in judgement.metrics:
                    self.paths.setdefault(metric.metric, []).append(metric.evidence)
            case _:
                pass


class Side(NamedTuple):
    """One version in the last seconds.

    Attributes:
        role: what it is now, with its slot.
        version: its name.
        rate: requests a second.
        rates: the same for each of the last SPARK_SECONDS, oldest first.
        failed, wrong: how many.
        p95_ms: of the answers, milliseconds; None without any.
    """

    role: str
    version: str
    rate: float
    rates: list[int]
    failed: int
    wrong: int
    p95_ms: float | None

    @property
    def p95(self) -> str:
        """The same as text."""
        return "–" if self.p95_ms is None else f"{self.p95_ms:.1f}"


def picture(run: Run, seen: Seen, requests: Sequence[Request], *, now: float, width: int) -> "RenderableType":
    """All of it, `width` columns wide; `requests` are the users' log so far, `now` is in epoch seconds."""
    from rich.console import Group
    from rich.panel import Panel
    from rich.text import Text

    narrow = width < NARROW
    versions = _in_lines if narrow else _in_a_table
    both = sides(run, seen, requests, now)
    most = max([1, *(rate for side in both for rate in side.rates)])
    parts: list[RenderableType] = [Text(timeline(seen, now)), Text(seen.doing, style="dim"), versions(both, most)]
    if not run.plan.in_place:
        parts.append(Text(share(run, seen, requests, now)))
    if seen.judgement:
        parts.append(Text(f"{seen.judgement.verdict} {seen.judgement.reason}", style="bold"))
        if difference := found(seen.judgement):
            parts.append(Text(interval(difference)))
        parts += [Text(" ".join(line.split()) if narrow else line) for line in verdicts(seen)]
    title = Text(f"{run.plan.strategy} {run.from_version} → {run.to_version}, {max(0.0, now - run.started.timestamp()):.0f} s")
    return Panel(Group(*parts), title=title, width=min(WIDEST, width))


def timeline(seen: Seen, now: float) -> str:
    """The phases with their seconds, the one under way last and marked."""
    if not seen.phases:
        return "▸ starting"
    ends = [began for _, began in seen.phases[1:]]
    past = [f"{name} {end - began:.0f} s" for (name, began), end in zip(seen.phases, ends, strict=False)]
    name, began = seen.phases[-1]
    return " · ".join([*past, f"▸ {name} {max(0.0, now - began):.0f} s"])


def served(run: Run, seen: Seen, requests: Sequence[Request], now: float) -> float | None:
    """The percentage of the last seconds' requests that the slot got that is not stable; None where nobody got any."""
    stable = seen.stable or run.stable
    charged = [request for request in sent_since(requests, max(seen.since, now - RECENT)) if request.slot]
    return 100 * sum(request.slot is not stable for request in charged) / len(charged) if charged else None


def share(run: Run, seen: Seen, requests: Sequence[Request], now: float) -> str:
    """What the slot that is not stable got of the last seconds' requests, as a bar, with a mark at what was intended."""
    got = served(run, seen, requests, now)
    mark = min(BAR - 1, round(seen.weight / 100 * BAR))
    filled = 0 if got is None else round(got / 100 * BAR)
    bar = "".join("|" if place == mark else "█" if place < filled else "·" for place in range(BAR))
    return f"candidate   [{bar}] served {'–' if got is None else f'{got:.0f} %'} of intended {seen.weight} %"


def verdicts(seen: Seen) -> list[str]:
    """For each metric the path of its evidence towards the limit, and the requests that it takes to tell."""
    lines = []
    metrics = seen.judgement.metrics if seen.judgement else ()
    longest = max((len(metric.metric) for metric in metrics), default=0)
    # a longer name has its columns from the path, or the line would not fit
    seconds = SPARK_SECONDS - max(0, longest - USUAL_NAME)
    for metric in metrics:
        path = sparkline([max(0.0, evidence) for evidence in seen.paths.get(metric.metric, [])][-seconds:], metric.limit)
        lines.append(
            f"  {metric.metric:<{longest}} {path:>{seconds}} {metric.evidence:6.1f} of {metric.limit:.1f}"
            f"   {metric.candidate.bad}/{metric.candidate.n} vs {metric.stable.bad}/{metric.stable.n}, needs {metric.needed}"
        )
    return lines


def interval(difference: Difference) -> str:
    """Where an experiment's difference may lie, in points, as a bar around zero: to the right the candidate is better."""

    def place(points: float) -> int:
        return min(BAR - 1, int((points / difference.span + 1) / 2 * BAR))

    least, middle, most = place(difference.least), place(difference.middle), place(difference.most)
    marks = {place(0): "|", middle: "█"}
    bar = "".join(marks.get(at, "▒" if least <= at <= most else "·") for at in range(BAR))
    return f"difference  [{bar}] {difference.middle:+.1f} points ({difference.least:+.1f} to {difference.most:+.1f})"


def sparkline(values: Sequence[float], most: float) -> str:
    """One mark for each of `values`, the highest for `most` and whatever is above it."""
    top = len(SPARKS) - 1
    return "".join(SPARKS[min(top, round(top * value / most))] if most > 0 else SPARKS[0] for value in values)


def sides(run: Run, seen: Seen, requests: Sequence[Request], now: float) -> tuple[Side, Side]:
    """The version from before and the new one."""
    both, promoted = Sides(run), seen.stable is not None
    seconds = max(0.5, min(RECENT, now - seen.since))
    long = sent_since(requests, now - SPARK_SECONDS)
    recent = [request for request in long if request.sent is not None and request.sent >= now - seconds]

    def side(role: str, slot: Slot, version: str, *, new: bool) -> Side:
        own = both.of(recent, slot, candidate=new)
        return Side(
            role=f"{role} ({slot})",
            version=version,
            rate=len(own) / seconds,
            rates=_rates(both.of(long, slot, candidate=new), now),
            failed=sum(request.failed for request in own),
            wrong=sum(request.wrong for request in own),
            p95_ms=latency_percentile_ms(own, 0.95),
        )

    return (
        side("old" if promoted else "stable", run.stable, run.from_version, new=False),
        side("stable" if promoted else "candidate", run.candidate, run.to_version, new=True),
    )


def _in_a_table(both: Sequence[Side], most: float) -> "RenderableType":
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for heading in ("role", "version", "req/s", "", "failed", "wrong", "p95 ms"):
        table.add_column(heading, justify="left" if heading in {"role", "version", ""} else "right", no_wrap=heading != "version")
    for side in both:
        path = sparkline(side.rates, most)
        table.add_row(side.role, Text(side.version, overflow="fold"), f"{side.rate:.1f}", path, str(side.failed), str(side.wrong), side.p95)
    return table


def _in_lines(both: Sequence[Side], most: float) -> "RenderableType":
    from rich.text import Text

    return Text("\n").join(
        Text(
            f"{side.role} {side.version}\n  {sparkline(side.rates, most)} {side.rate:.1f} req/s\n"
            f"  {side.failed} failed, {side.wrong} wrong, p95 {side.p95} ms"
        )
        for side in both
    )


def _rates(requests: Sequence[Request], now: float) -> list[int]:
    """Requests in each of the last seconds, oldest first."""
    rates = [0] * SPARK_SECONDS
    for request in requests:
        age = now - (request.sent or 0.0)
        if 0 <= age < SPARK_SECONDS:
            rates[SPARK_SECONDS - 1 - int(age)] += 1
    return rates
