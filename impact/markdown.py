"""A run, or two runs side by side, as Markdown: for a pull request, a chat or a terminal without a browser."""

import shlex
from collections.abc import Iterable, Sequence

from impact import wording
from impact.story import story
from impact.summary import Summary

PHASE_COLUMNS = ("phase", "seconds", "intended", "served", "who", "requests", "failed", "slow", "wrong", "p50 ms", "p95 ms", "p99 ms")
VERDICT_COLUMNS = ("phase", "metric", "verdict", "candidate", "stable", "in words")


def render(summary: Summary) -> str:
    """The same as the page, without the drawings."""
    phases = [
        (phase.name, f"{phase.seconds:.1f}", f"{phase.intended_weight} %", wording.percent(phase.served_weight), *row)
        for phase in summary.phases
        for row in wording.role_rows(phase)
    ]
    verdicts = [
        (each.phase, each.metric, each.verdict, *(f"{count.bad} of {count.n}" for count in (each.candidate, each.stable)), each.explanation)
        for each in summary.verdicts
    ]
    environment = summary.environment
    return "\n\n".join(
        [
            f"# {escaped(wording.headline(summary))}",
            f"**{escaped(summary.reason)}.**",
            *([f"Still to be done: {escaped(summary.left)}."] if summary.left else []),
            escaped(" ".join(story(summary))),
            escaped(" ".join(wording.account(summary))),
            *(["## Phases", _table(PHASE_COLUMNS, phases)] if phases else []),
            *(["## Verdicts", _table(VERDICT_COLUMNS, verdicts)] if verdicts else []),
            *(
                part
                for finding in summary.findings
                for part in (
                    f"## What was measured in “{escaped(finding.phase)}”",
                    _table(("what", "how much"), [(name, wording.fact(value)) for name, value in finding.facts.items()]),
                )
            ),
            "## Totals",
            _table(("what", "how much"), wording.totals(summary)),
            "## Where and how",
            *(f"Note: {escaped(note)}." for note in summary.notes),
            f"Run {escaped(summary.id)} on the {summary.platform} platform. Python {environment.python} on "
            f"{escaped(wording.machine(environment))}; seed {environment.seed}; "
            + ", ".join(f"{name} {version}" for name, version in environment.versions.items())
            + ".",
            f"    {shlex.join(environment.command)}\n",
        ]
    )


def render_comparison(rows: Sequence[tuple[str, str, str]]) -> str:
    """The rows of `impact.side_by_side` as a table."""
    (_, first, second), *others = rows
    return f"# {escaped(first)} beside {escaped(second)}\n\n{_table(('', first, second), others)}\n"


def escaped(text: str) -> str:
    """Text in which nothing is taken for a mark: names come from people."""
    return "".join(f"\\{character}" if character in "\\`*_[]<>|#" else character for character in " ".join(text.split()))


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns)]
    text = [f"| {' | '.join(map(escaped, line))} |" for line in (lines[0], *rows)]
    return "\n".join([text[0], f"| {' | '.join(lines[1])} |", *text[1:]])
