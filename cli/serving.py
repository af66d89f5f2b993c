"""`labctl serving compare`: the ways of serving a model, measured side by side on this machine."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.parameters import duration
from cli.settings import settings

if TYPE_CHECKING:
    from cli.clock import SystemClock

FORMAT = 2
"""Of serving.json. In 1 nobody had looked at a page after a switch, and the memory was that of a server of all pages."""
app = typer.Typer(no_args_is_help=True, help="Compare the ways of serving a model.")


@app.callback()
def serving() -> None:
    """Compare the ways of serving a model."""


@app.command()
def compare(
    repeat: Annotated[int, typer.Option(min=1, help="How often each is measured.")] = 3,
    rows: Annotated[int, typer.Option(min=1, help="New observations for the batch.")] = 20_000,
    seconds: Annotated[float, typer.Option("--for", parser=duration, metavar="DURATION", help="How long each is asked.")] = 3.0,
    to: Annotated[Path, typer.Option(help="The folder for serving.md, serving.json and serving.html.")] = Path("serving"),
    json_: Annotated[bool, typer.Option("--json", help="Print serving.json instead of the table.")] = False,
) -> None:
    """Measure latency, throughput, memory, what switching from v1 to v2 costs, and what fails when something is down."""
    import json
    import os
    import platform

    from cli.clock import SystemClock
    from cli.lock import exclusive
    from cli.serving_bench import NEW, OLD
    from cli.session import require_version
    from impact.rundir import replace_whole
    from impact.serving_page import page
    from impact.serving_table import markdown
    from strategies.errors import StoreRefused

    for version in (OLD, NEW):
        require_version(settings().store, version, "LAB_STORE")
    try:
        to.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreRefused(f"the comparison cannot be written to {to} ({error.strerror}): give another folder with --to") from error
    clock = SystemClock()
    began = clock.now()
    home = settings().home / "serving"
    with clock.listening(), exclusive(home, "labctl serving compare"):
        measured, down = _measured(home / "bench", repeat, rows, seconds, clock)
    found = {
        "format": FORMAT,
        "command": " ".join(("labctl", *sys.argv[1:])),
        "began": f"{began:%Y-%m-%d %H:%M:%S} UTC",
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "repeats": repeat,
        "rows": rows,
        "seconds": seconds,
        "strategies": measured,
        "down": down,
    }
    text, document = markdown(found), json.dumps(found, indent=2) + "\n"
    for name, content in (("serving.md", text), ("serving.json", document), ("serving.html", page(found))):
        replace_whole(to / name, content.encode())
    print(document if json_ else text, end="")
    print(f"written to {to}: serving.md, serving.json, serving.html", file=sys.stderr)


def _measured(folder: Path, repeat: int, rows: int, seconds: float, clock: "SystemClock") -> tuple[dict[str, Any], dict[str, Any]]:
    """The figures of each repeat by strategy, and what was said while something was down."""
    import shutil

    from cli.serving_bench import STRATEGIES, Bench
    from cli.serving_figures import Strategy
    from cli.serving_outages import outages

    measured: dict[str, list[dict[str, float]]] = {name: [] for name in (*STRATEGIES, "batch")}
    down: dict[str, Any] = {}
    for number in range(1, repeat + 1):
        # one that was killed has left its folder
        shutil.rmtree(folder, ignore_errors=True)
        try:
            shutil.copytree(settings().store, folder / "store")
            with Bench(folder, clock) as bench:
                for name in STRATEGIES:
                    print(f"{number} of {repeat}: {name}", file=sys.stderr)
                    figures, batch = Strategy(bench, name).measured(seconds, rows)
                    measured[name].append(figures)
                    if batch:
                        measured["batch"].append(batch)
                if number == repeat:
                    print("what fails when the store, the service or the database is down", file=sys.stderr)
                    down = outages(bench)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return measured, down
