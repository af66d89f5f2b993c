"""`labctl model`: makes the versions that rollouts roll out. The model API's own program does it, in its own process."""

import subprocess
import sys
from typing import Annotated

import typer

from cli.settings import settings

app = typer.Typer(no_args_is_help=True, help="Make and look at versions of the model.")


@app.callback()
def model() -> None:
    """Make and look at versions of the model."""


@app.command()
def train(
    versions: Annotated[list[str] | None, typer.Argument(help="v1, v2, v2-broken, v2-slow, v2-wrong; all if left out.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of the split and of the training; the same seed gives the same models.")] = None,
) -> None:
    """Train versions into the model store, reproducibly."""
    command = [sys.executable, "-m", "app.training", "--store", str(settings().store)]
    command += [] if seed is None else ["--seed", str(seed)]
    raise typer.Exit(subprocess.run([*command, *(versions or [])], check=False).returncode)
