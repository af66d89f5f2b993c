"""What a run cost its users, on the terminal: at most 80 columns wide, fewer where there are fewer, and readable without colours."""

from collections.abc import Iterator
from itertools import zip_longest

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.table import Table
from rich.text import Text

from impact import wording
from impact.figures import PhaseFigures
from impact.summary import Summary
from strategies.events import Outcome

WIDTH = 80
GOOD = {Outcome.PROMOTED, Outcome.COMPLETED}


def render(summary: Summary) -> RenderableType:
    """The outcome and why, the phases, the verdicts and what it cost, as something that rich prints."""
    style = "bold green" if summary.outcome in GOOD else "bold red" if summary.outcome is Outcome.ROLLED_BACK else "bold yellow"
    parts: list[RenderableType] = [Text(wording.headline(summary), style=style), Text(summary.reason)]
    if summary.left:
        parts.append(Text(f"Still to be done: {summary.left}", style="bold"))
    if summary.phases:
        parts += [Text(), _Phases(summary.phases)]
    if summary.verdicts:
        parts += [Text(), _verdicts(summary)]
    if summary.findings:
        parts += [Text(), _findings(summary)]
    parts += [Text(), *(Text(sentence) for sentence in wording.account(summary))]
    return Group(*parts)


class _Phases:
    """The phases as a table, or, where that has no room, in lines that fold."""

    def __init__(self, phases: tuple[PhaseFigures, ...]) -> None:
        self._phases = phases

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        if options.max_width >= WIDTH:
            yield _table(self._phases)
            return
        for phase in self._phases:
            got = f", got {wording.percent(phase.served_weight)}" if phase.intended_weight else ""
            yield Text(f"{phase.name}, {phase.seconds:.1f} s{got}", style="bold")
            for who, sent, *bad, p50, p95, p99 in wording.role_rows(phase):
                counted = ", ".join(f"{number} {kind}" for number, kind in zip(bad, ("failed", "slow", "wrong"), strict=True))
                yield Text(f"  {who}: {sent} sent, {counted}; p50 {p50}, p95 {p95}, p99 {p99} ms")


def _table(phases: tuple[PhaseFigures, ...]) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, width=WIDTH, caption="p50, p95, p99: ms from the intended time")
    table.add_column("phase", ratio=2, overflow="fold")
    table.add_column("s", justify="right", no_wrap=True)
    table.add_column("who", ratio=3, overflow="fold")
    for title in ("sent", "failed", "slow", "wrong", "p50", "p95", "p99"):
        table.add_column(title, justify="right", no_wrap=True)
    for phase in phases:
        names = [phase.name, f"  got {wording.percent(phase.served_weight)}" if phase.intended_weight else ""]
        for number, (name, row) in enumerate(zip_longest(filter(None, names), wording.role_rows(phase), fillvalue="")):
            table.add_row(Text(name), "" if number else f"{phase.seconds:.1f}", *map(Text, row))
    return table


def _verdicts(summary: Summary) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    for verdict in summary.verdicts:
        table.add_row(Text(verdict.phase), Text(verdict.verdict), Text(verdict.explanation, overflow="fold"))
    return table


def _findings(summary: Summary) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    for finding in summary.findings:
        for name, value in finding.facts.items():
            table.add_row(Text(name, overflow="fold"), Text(wording.fact(value), overflow="fold"))
    return table
