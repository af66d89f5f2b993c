"""`labctl runs` and `labctl report`: what was done, and what it cost."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.settings import settings

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
    from strategies.events import Ended

    rows = []
    for folder in list_runs(settings().runs):
        ended = next((event for event in reversed(folder.events()) if isinstance(event, Ended)), None)
        rows.append(
            {
                "run": folder.path.name,
                "outcome": str(ended.outcome) if ended else "not ended",
                "exit_code": ended.exit_code if ended else None,
                "reason": ended.reason if ended else "its labctl runs still, or died",
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


def report(
    run: Annotated[str, typer.Argument(help="The run's id or the beginning of it; the newest if left out.")] = "",
    as_json: Json = False,
) -> None:
    """Tell what a run cost its users, and where its report is; both are made anew from the run's record."""
    from cli.session import close
    from impact.rundir import find_run

    folder = find_run(settings().runs, run)
    show(folder, close(folder), as_json=as_json)


def show(folder: "RunFolder", summary: "Summary", *, as_json: bool) -> None:
    """Print a summary on stdout: as one JSON document, or for people with the place of the report."""
    import msgspec

    if as_json:
        print(msgspec.json.format(msgspec.json.encode(summary)).decode())
        return
    from rich.console import Console

    from impact.terminal import render

    console = Console()
    console.print()
    console.print(render(summary))
    console.print()
    console.print(f"report: {folder.report}", soft_wrap=True, highlight=False)
