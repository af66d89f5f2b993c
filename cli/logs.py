"""`runs/<id>/labctl.log`: what labctl said while it carried the run out, and what nobody foresaw with its traceback, with times."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SAID = logging.getLogger("labctl")
"""Takes what a person is told, also where nobody wants to hear it."""
SAID.setLevel(logging.INFO)


class _Patient(logging.FileHandler):
    """A full disk must not fill the terminal with the log's own troubles."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  named by logging
        """Lose the line."""


@contextmanager
def logging_to(path: Path) -> Iterator[None]:
    """Append to that file while the context lasts; where none can be written there is none."""
    try:
        handler = _Patient(path, delay=True, encoding="utf-8")
    except OSError:
        yield
        return
    formatter = logging.Formatter("%(asctime)s.%(msecs)03dZ %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S")
    # UTC, as in the rest of the record
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()
