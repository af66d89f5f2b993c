"""`labctl serve`: the model, served without a rollout.

The command becomes the model API's own program (exec), instead of starting it: a signal reaches the server itself, and
no server is left when the command is killed.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from strategies.errors import CouldNotRun

app = typer.Typer(no_args_is_help=True, help="Serve the model, without a rollout.")


@app.callback()
def serve() -> None:
    """Serve the model, without a rollout."""


@app.command()
def service(
    config: Annotated[Path, typer.Option(help="Which model: the file that `labctl model use` writes.")] = Path("model.toml"),
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on loopback; 0 takes a free one.")] = 8000,
    api_key_file: Annotated[
        Path | None,
        typer.Option(help="A file with the key that clients must send; or the key itself in LAB_API_KEY. Without, no key is asked for."),
    ] = None,
    database: Annotated[
        str | None, typer.Option(envvar="LAB_DATABASE", help="Also show the predictions in this database at /predictions.")
    ] = None,
) -> None:
    """Serve a model as a service until Ctrl-C: POST /predict, the Open Inference Protocol under /v2, and /docs."""
    variables = {"CONFIG": str(config.resolve()), "HOST": "127.0.0.1", "PORT": str(port), "SLOT": "blue", "DRAIN_SECONDS": "0"}
    if key := _api_key(api_key_file):
        variables["API_KEY"] = key
    if database:
        variables["DATABASE"] = database
    become("app.server", {f"MODEL_API_{name}": value for name, value in variables.items()})


def _api_key(file: Path | None) -> str:
    if file is None:
        return os.environ.get("LAB_API_KEY", "")
    try:
        key = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise CouldNotRun(f"the API key cannot be read from {file} ({error}): write it there, in one line") from error
    if not key:
        raise CouldNotRun(f"{file} is empty: write the API key there, in one line")
    return key


def become(module: str, variables: Mapping[str, str], *arguments: str) -> NoReturn:
    """Become `python -m module`, with variables added to the environment."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, [sys.executable, "-m", module, *arguments], {**os.environ, **variables})  # noqa: S606  no shell is meant
