"""`labctl model`: makes the versions that rollouts roll out, and publishes them as data. The model API's own programs do it."""

import subprocess
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from cli.settings import settings

Store = Annotated[str, typer.Option(envvar="LAB_MODEL_STORE", help="Where models are published: a folder, file:// or s3://bucket/folder.")]

app = typer.Typer(no_args_is_help=True, help="Make, publish and choose versions of the model.")


@app.callback()
def model() -> None:
    """Make, publish and choose versions of the model."""


@app.command()
def train(
    versions: Annotated[list[str] | None, typer.Argument(help="v1, v2, v2-broken, v2-slow, v2-wrong; all if left out.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of the split and of the training; the same seed gives the same models.")] = None,
) -> None:
    """Train versions into the model store, reproducibly."""
    seeded = [] if seed is None else ["--seed", str(seed)]
    _run("app.training", "--store", str(settings().store), *seeded, *(versions or []))


@app.command()
def publish(version: Annotated[str, typer.Argument(help="Which of the trained versions.")], store: Store) -> None:
    """Put a trained version into a store that others fetch from. A published version never changes."""
    _run("app.stores", "publish", version, "--from", str(settings().store), "--store", store)


@app.command("list")
def published(store: Store) -> None:
    """Show what a store has: version, sha256, accuracy on the holdout, idea."""
    _run("app.stores", "list", "--store", store)


@app.command()
def use(
    version: Annotated[str, typer.Argument(help="Which version is to be served.")],
    store: Annotated[
        str | None,
        typer.Option(envvar="LAB_MODEL_STORE", help="Where it is; if left out where the last one was, else the store of `model train`."),
    ] = None,
    config: Annotated[Path, typer.Option(help="The file that `labctl serve service` reads.")] = Path("model.toml"),
) -> None:
    """Choose the version that `labctl serve service` serves from its next start on."""
    where = [] if store is None else ["--store", store]
    _run("app.stores", "use", version, "--config", str(config), "--from", str(settings().store), *where)


def _run(*program: str) -> NoReturn:
    raise typer.Exit(subprocess.run([sys.executable, "-m", *program], check=False).returncode)
