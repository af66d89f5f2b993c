"""Batches of predictions under way, and what they have written."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import text

from app.errors import DatabaseFailed
from app.predictions.database import asking, open_database
from tests.unit.app.test_batch import DEADLINE, command
from tests.waiting import wait_for


def counted(url: str) -> tuple[int, int]:
    """Predictions, and rows that have one; none of a database that cannot be asked."""
    engine = open_database(url, writes=False)
    try:
        with asking(engine) as connection:
            rows, different = connection.execute(text("SELECT count(*), count(DISTINCT row) FROM predictions")).one()
            return rows, different
    except DatabaseFailed:
        return 0, 0
    finally:
        engine.dispose()


@contextmanager
def begun(store: Path | str, url: str, path: Path, chunk: int = 10) -> Iterator["subprocess.Popen[str]"]:
    """A batch that has written some rows and has many to go; it has ended afterwards."""
    program = command(Path(store), url, path, "--chunk", str(chunk))
    # a URL is no path, which would lose one of its slashes
    program[program.index("--store") + 1] = str(store)
    process = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def written() -> bool:
        assert process.poll() is None, process.communicate()
        return counted(url) > (0, 0)

    try:
        wait_for(written, "the first rows", DEADLINE)
        yield process
    finally:
        process.kill()
        process.communicate()
