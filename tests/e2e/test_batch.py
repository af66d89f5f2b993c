"""A batch as large as they come, as a person runs it: every row once although it is killed in the middle, in memory that is bounded."""

import csv
import json
import logging
import re
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from pyarrow import parquet

from tests.e2e.labctl import Labctl

logger = logging.getLogger(__name__)

pytestmark = [pytest.mark.everything, pytest.mark.timeout(1800)]

ROWS = 1_000_000
LARGEST = 500 * 2**20
"""Bytes of memory that a batch may take."""
DEADLINE = 1500.0


def write_csv(path: Path, names: list[str], values: NDArray[np.float64]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows(np.round(values, 6).tolist())


def write_parquet(path: Path, names: list[str], values: NDArray[np.float64]) -> None:
    """As pyarrow writes it by itself: all rows in one group, whose columns are hardly smaller than in memory."""
    parquet.write_table(pa.table(dict(zip(names, np.round(values, 6).T, strict=True))), path)


class Batch:
    """`labctl predict batch` of one file, again and again.

    Attributes:
        peak: bytes of memory that any of the runs has taken at most.
    """

    def __init__(self, labctl: Labctl, observations: Path, folder: Path) -> None:
        self._labctl, self._log = labctl, folder / "batch.log"
        self._database = folder / "predictions.db"
        self._command = ("predict", "batch", str(observations), "--version", "v2", "--database", f"sqlite:///{self._database}")
        self.peak = 0

    def run(self, until: Callable[[], object] = lambda: False) -> int:
        """Its exit code; it is killed as soon as `until` is true."""
        with self._log.open("w") as log, self._labctl.started(*self._command, stdout=log, stderr=log) as process:

            def over() -> bool:
                self.peak = max(self.peak, most_memory(process.pid))
                return bool(process.poll() is not None or until())

            self._labctl.wait_for("end of the batch", over, DEADLINE)
            process.send_signal(signal.SIGKILL)
            return process.wait(DEADLINE)

    def said(self) -> str:
        """What the last run has said."""
        return self._log.read_text()

    def done(self) -> int:
        """How many rows the database says that it has, which is told at once; one that is only being made has none."""
        try:
            return int(self._ask("SELECT coalesce(sum(rows), 0) FROM batch_runs")[0])
        except sqlite3.OperationalError:
            return 0

    def counted(self) -> tuple[int, int, int]:
        """How many predictions there are, of how many rows of the input, and how many of them are refusals."""
        rows, different, refused = self._ask("SELECT count(*), count(DISTINCT row), count(refusal) FROM predictions")
        return rows, different, refused

    def _ask(self, what: str) -> tuple[int, ...]:
        with closing(sqlite3.connect(f"file:{self._database}?mode=ro", uri=True)) as connection:
            found: tuple[int, ...] = connection.execute(what).fetchone()
            return found


def most_memory(pid: int) -> int:
    """The bytes that a process has taken at most, or takes now where the system does not tell that; 0 once it has ended."""
    try:
        status = Path(f"/proc/{pid}/status")
        if found := re.search(r"VmHWM:\s+(\d+) kB", status.read_text() if status.exists() else ""):
            return 1024 * int(found[1])
        return int(psutil.Process(pid).memory_info().rss)
    except (OSError, psutil.Error):
        return 0


@pytest.mark.parametrize("write", [write_csv, write_parquet])
def test_a_million_rows_are_each_predicted_once_although_the_batch_is_killed_in_the_middle(
    labctl: Labctl, tmp_path: Path, write: Callable[[Path, list[str], NDArray[np.float64]], None]
) -> None:
    card = json.loads((labctl.store / "v2" / "model.json").read_text())
    # no two cells alike, so that neither format can keep them small; one row in a hundred is no observation
    values = np.random.default_rng(7).uniform(
        [feature["minimum"] for feature in card["features"]], [feature["maximum"] for feature in card["features"]], (ROWS, 30)
    )
    values[::100, 3] = -1
    observations = tmp_path / write.__name__.replace("write_", "observations.")
    write(observations, [feature["name"] for feature in card["features"]], values)
    batch = Batch(labctl, observations, tmp_path)

    assert batch.run(until=lambda: batch.done() > ROWS // 2) == -signal.SIGKILL, batch.said()
    killed_at, different, _ = batch.counted()
    assert ROWS // 2 < killed_at == different == batch.done() < ROWS
    assert batch.run() == 0, batch.said()

    assert f"{ROWS} rows of {observations} predicted by v2, {killed_at} of them before; {ROWS // 100} refused" in batch.said()
    assert batch.counted() == (ROWS, ROWS, ROWS // 100)
    # seen with --log-cli-level=INFO
    logger.info("%s: killed at %d rows, at most %d MiB", observations.name, killed_at, batch.peak // 2**20)
    assert batch.peak < LARGEST
