"""`labctl`: registers the commands, and turns every error into one sentence and an exit code.

Exit codes: 0 promoted or completed; 1 judged bad and rolled back; 2 wrong usage; 3 could not run or could not tell;
130 interrupted before promotion and rolled back.
"""

import logging
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from cli import compare, doctor, lab, load, model, pages, predict, recovery, render, reports, rollout, serve, serving, steering
from cli.common_options import Where, with_common
from cli.settings import settings
from strategies.errors import LabError

app = typer.Typer(
    name="labctl",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Performs deployment strategies for real on one model API, under real load, and measures what the users saw.",
)
app.command()(lab.up)
app.command()(lab.down)
app.command()(lab.status)
app.add_typer(rollout.app, name="rollout")
app.command()(steering.pause)
app.command()(steering.promote)
app.command()(recovery.resume)
app.command()(recovery.abort)
app.command()(steering.undo)
app.command()(compare.compare)
app.command()(load.load)
app.command()(reports.runs)
app.command()(reports.report)
app.add_typer(model.app, name="model")
app.add_typer(predict.app, name="predict")
serve.app.command()(pages.embedded)
serve.app.command()(pages.pages)
app.add_typer(serve.app, name="serve")
app.add_typer(serving.app, name="serving")
app.command()(render.render)
app.command()(doctor.doctor)


@app.command("dashboard")
@with_common
def show_dashboard(
    where: Where,
    port: Annotated[int, typer.Option(min=0, max=65535, help="The page's loopback port; 0 for a free one.")] = 0,
    comparison: Annotated[Path, typer.Option(help="The folder of the comparison whose table and runs are shown, too.")] = Path(
        "comparison"
    ),
) -> None:
    """Show the runs in a browser, and a rollout while it runs; Ctrl-C ends it."""
    from cli.dashboard import serve

    serve(port, comparison, where)


def main() -> None:
    """The console script."""
    # what nobody foresaw goes to the run's own log; a user sees a sentence
    logging.getLogger().addHandler(logging.NullHandler())
    try:
        app()
    except LabError as error:
        print(f"labctl: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:  # noqa: BLE001 - the last resort, so that nobody is shown a traceback
        # a defect of ours: the traceback is kept, not shown
        place = settings().home / "labctl-defect.log"
        with suppress(OSError):
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(traceback.format_exc())
        print(f"labctl: a defect in labctl itself: {error!r}; its traceback is in {place}", file=sys.stderr)
        sys.exit(3)
