"""`labctl serving compare`: the ways of serving a model, measured side by side on this machine."""

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from cli.parameters import duration
from cli.settings import settings

app = typer.Typer(no_args_is_help=True, help="Compare the ways of serving a model.")


@app.callback()
def serving() -> None:
    """Compare the ways of serving a model."""


@app.command()
def compare(
    repeat: Annotated[int, typer.Option(min=1, help="How often each is measured.")] = 3,
    rows: Annotated[int, typer.Option(min=1, help="New observations for the batch.")] = 20_000,
    seconds: Annotated[float, typer.Option("--for", parser=duration, metavar="DURATION", help="How long each is asked.")] = 3.0,
    to: Annotated[Path, typer.Option(help="The folder for serving.md and serving.json.")] = Path("serving"),
) -> None:
    """Measure latency, throughput, memory, what switching from v1 to v2 costs, and what fails when something is down."""
    import json

    from cli.clock import SystemClock
    from cli.serving_bench import STRATEGIES, Bench
    from impact.serving_table import render
    from strategies.errors import StoreRefused

    clock = SystemClock()
    began = clock.now()
    measured: dict[str, list[dict[str, float]]] = {name: [] for name in (*STRATEGIES, "batch")}
    with clock.listening(), tempfile.TemporaryDirectory() as scratch:
        for number in range(repeat):
            folder = Path(scratch, str(number))
            shutil.copytree(settings().store, folder / "store")
            bench = Bench(folder, rows, seconds, clock)
            try:
                for name in STRATEGIES:
                    print(f"{number + 1} of {repeat}: {name}", file=sys.stderr)
                    measured[name].append(bench.measured(name))
                measured["batch"].append(bench.batch)
                down = bench.down() if number == repeat - 1 else {}
            finally:
                bench.end()
    found = {
        "command": " ".join(("labctl", *sys.argv[1:])),
        "began": f"{began:%Y-%m-%d %H:%M:%S} UTC",
        "repeats": repeat,
        "rows": rows,
        "processors": os.cpu_count(),
        "strategies": measured,
        "down": down,
    }
    text = render(found)
    try:
        to.mkdir(parents=True, exist_ok=True)
        (to / "serving.json").write_text(json.dumps(found, indent=2) + "\n")
        (to / "serving.md").write_text(text)
    except OSError as error:
        raise StoreRefused(f"the comparison cannot be written to {to} ({error.strerror}): give another folder with --to") from error
    print(text)
