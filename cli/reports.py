"""`labctl runs` and `labctl report`: what was done, and what it cost."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.completing import run_names
from cli.settings import settings
from strategies.errors import StoreRefused, UsageError

if TYPE_CHECKING:
    from impact.rundir import RunFolder
    from impact.summary import Summary

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


def runs(as_json: Json = False) -> None:
    """List the runs, newest first."""
    import json

    from rich.console import Console
    from rich.table import Table

    from impact.rundir import list_runs
    from impact.timeline import ended

    rows = []
    for folder in list_runs(settings().runs):
        end = ended(folder.events())
        rows.append(
            {
                "run": folder.path.name,
                "outcome": str(end.outcome) if end else "not ended",
                "exit_code": end.exit_code if end else None,
                "reason": end.reason if end else "its labctl runs still, or died",
            }
        )
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    if not rows:
        print(f"no runs in {settings().runs} yet; `labctl rollout canary` makes one")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("run", "outcome", "reason"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "run")
    for row in rows:
        table.add_row(str(row["run"]), str(row["outcome"]), str(row["reason"]))
    Console().print(table)


class Format(StrEnum):
    """How a report is written."""

    TERMINAL = "terminal"
    HTML = "html"
    MARKDOWN = "md"
    JSON = "json"


def report(
    run: Annotated[str, typer.Argument(help="The run's id or the beginning of it; the newest if left out.", autocompletion=run_names)] = "",
    compare: Annotated[tuple[str, str] | None, typer.Option(metavar="RUN RUN", help="Two runs side by side instead.")] = None,
    form: Annotated[Format, typer.Option("--format", help="How it is written.")] = Format.TERMINAL,
    output: Annotated[Path | None, typer.Option(dir_okay=False, help="A file to write it to, instead of stdout.")] = None,
    as_json: Json = False,
) -> None:
    """Tell what a run cost its users, and where its report is; both are made anew from the run's record."""
    from impact.rundir import find_run

    form = Format.JSON if as_json else form
    if output and form is Format.TERMINAL:
        raise UsageError("a file needs a format: add --format html, md or json")
    if compare:
        text = _compared([find_run(settings().runs, name) for name in compare], form)
    else:
        text = _told(find_run(settings().runs, run), form)
    if output is None:
        # a summary on the terminal has been printed already
        print(text, end="")
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StoreRefused(f"{output} cannot be written ({error.strerror}); name another --output") from error


def _told(folder: "RunFolder", form: Format) -> str:
    """One run's report as text; for the terminal it is printed, and nothing is left to say."""
    from cli.session import close
    from impact import markdown

    summary = close(folder)
    match form:
        case Format.TERMINAL:
            show(folder, summary, as_json=False)
            return ""
        case Format.HTML:
            return folder.report.read_text(encoding="utf-8")
        case Format.MARKDOWN:
            return markdown.render(summary)
        case Format.JSON:
            return _json(summary)


def _compared(folders: "list[RunFolder]", form: Format) -> str:
    """Two runs side by side as text."""
    import json

    from cli.session import close
    from impact import markdown, side_by_side

    rows = side_by_side.compare(*map(close, folders))
    match form:
        case Format.TERMINAL:
            _print_rows(rows)
            return ""
        case Format.HTML:
            return side_by_side.page(rows)
        case Format.MARKDOWN:
            return markdown.render_comparison(rows)
        case Format.JSON:
            return json.dumps([{"what": what, "first": first, "second": second} for what, first, second in rows], indent=2) + "\n"


def _print_rows(rows: "list[tuple[str, str, str]]") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in rows[0]:
        table.add_column(Text("" if title == "run" else title), overflow="fold")
    for row in rows[1:]:
        table.add_row(*map(Text, row))
    Console().print(table)


def _json(summary: "Summary") -> str:
    import msgspec

    return msgspec.json.format(msgspec.json.encode(summary)).decode() + "\n"


def show(folder: "RunFolder", summary: "Summary", *, as_json: bool) -> None:
    """Print a summary on stdout: as one JSON document, or for people with the place of the report."""
    if as_json:
        print(_json(summary), end="")
        return
    from rich.console import Console

    from impact.terminal import render

    console = Console()
    console.print()
    console.print(render(summary))
    console.print()
    console.print(f"report: {folder.report}", soft_wrap=True, highlight=False)
