"""Serve the pages: `python -m app.pages [--address HOST] [--port PORT] [--parent PID]`, configured by MODEL_PAGES_ variables.

What Streamlit is told is the same here and in an image: how the pages look, and that they send no statistics to anybody. With
`--parent` they end when that process does, also if it was killed.

Exit codes: 0; 2 the model that was to be fetched for the pages (MODEL_PAGES_FETCHED) is not there; 3 it cannot be loaded.
"""

import argparse
import sys
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from pathlib import Path

from app.errors import AppError
from app.parent import end_with

LOOK = {
    "theme.primaryColor": "#0067a5",
    "theme.linkColor": "#0067a5",
    "theme.baseRadius": "small",
    "client.toolbarMode": "minimal",
    "client.showErrorDetails": "none",
}
QUIET = {
    "browser.gatherUsageStats": "false",
    "server.headless": "true",
    "server.fileWatcherType": "none",
    "logger.level": "warning",
    "logger.hideWelcomeMessage": "true",
}
"""No statistics to anybody, no browser opened, no code reloaded, and no welcome: for it a server outside is asked for our address."""
PLAIN = {"runner.magicEnabled": "false"}
"""Else Streamlit would write every docstring of its script on the page."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a signal; the exit code if there is nothing to serve."""
    parser = argparse.ArgumentParser(prog="python -m app.pages", description="Serve the pages.")
    parser.add_argument("--address", default="127.0.0.1", help="where to listen (default %(default)s)")
    parser.add_argument("--port", type=int, default=8501, help="where to listen (default %(default)s)")
    parser.add_argument("--parent", type=int, default=0, metavar="PID", help="end when this process is no longer the parent")
    options = parser.parse_args(arguments)
    # before the import below, which takes seconds in which the parent may be killed
    end_with(options.parent)
    from streamlit.web import cli  # noqa: PLC0415  see above

    try:
        _load()
    except AppError as exc:
        sys.stderr.write(f"{exc}\n")
        return exc.exit_code
    told = {**LOOK, **QUIET, **PLAIN, "server.address": options.address, "server.port": str(options.port)}
    flags = (part for name, value in told.items() for part in (f"--{name}", value))
    cli.main(["run", str(Path(__file__).with_name("main.py")), *flags], prog_name="streamlit")
    return 0


def _load() -> None:
    """Load the model published as data: the store is needed at the start alone, and not once the first visitor comes.

    Raises:
        AppError: it was fetched for us, and cannot be loaded. Pages that stand in for others, as those of a rollout do, must not then.
    """
    from app.pages.configuration import Configuration  # noqa: PLC0415  as above

    try:
        configuration = Configuration.from_environment()
    except AppError:
        # told on every page
        return
    if configuration.show not in {"all", "data"}:
        return
    from app.pages.models import published  # noqa: PLC0415  as above, and not needed by the others

    # who fetches it himself tells on its page what is wrong, and tries again; the other pages need no store
    with nullcontext() if configuration.fetched else suppress(AppError):
        published(configuration.config)


if __name__ == "__main__":
    sys.exit(main())
