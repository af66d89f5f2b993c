"""`labctl predict`: predictions made beforehand, in a database."""

from pathlib import Path
from typing import Annotated

import typer

from cli.serve import become
from cli.settings import DATABASE, settings

app = typer.Typer(no_args_is_help=True, help="Predict beforehand, into a database.")


@app.callback()
def predict() -> None:
    """Predict beforehand, into a database."""


@app.command()
def batch(
    observations: Annotated[Path, typer.Argument(help="CSV with a header, or Parquet: a column per feature, a row per observation.")],
    version: Annotated[str, typer.Option(help="Which version predicts.")],
    store: Annotated[
        str | None, typer.Option(envvar="LAB_MODEL_STORE", help="A folder, file:// or s3://; the store of `model train` if left out.")
    ] = None,
    database: Annotated[
        str,
        typer.Option(
            envvar="LAB_DATABASE", help="sqlite:///FILE or postgresql://user@host/database; a lab on this machine shows what is in it."
        ),
    ] = DATABASE,
    chunk: Annotated[int, typer.Option(min=1, help="Rows per transaction; memory grows with it.")] = 10_000,
    schedule: Annotated[str | None, typer.Option(help='Again and again until Ctrl-C, by a cron expression in UTC: "0 * * * *".')] = None,
) -> None:
    """Predict a file of observations into a database. It may be killed and repeated: no row is lost or doubled."""
    options = ["--store", store or str(settings().store), "--version", version, "--chunk", str(chunk)]
    options += [] if schedule is None else ["--schedule", schedule]
    # by the environment: a command line, which all users of the machine can see, must not hold the database's password
    become("app.batch", {"MODEL_API_DATABASE": database}, str(observations), *options)
