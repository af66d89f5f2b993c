"""Putting users on a server and reading what they logged."""

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from loadtest.users import UsersProcess
from strategies.run import LoadOptions
from strategies.userlog import HEADER, Row
from tests.waiting import wait_for

FEATURES = tuple(f"feature_{number}" for number in range(30))


def write_cases(path: Path, truths: Sequence[str]) -> Path:
    """A holdout.csv with a case per truth; its first feature is the case's number."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["case", *FEATURES, "truth"])
        writer.writerows(
            [number, float(number), *(number + index / 7 for index in range(1, 30)), truth] for number, truth in enumerate(truths)
        )
    return path


@contextmanager
def users(
    url: str, options: LoadOptions, folder: Path, truths: Sequence[str] = ("benign", "malignant")
) -> Iterator[tuple[UsersProcess, Path]]:
    """Users and their log; none is left after it."""
    log = folder / "requests.csv"
    process = UsersProcess.start(url, options, write_cases(folder / "holdout.csv", truths), log, folder / "console.txt")
    try:
        yield process, log
    finally:
        process.stop(0.0)


def put_load(url: str, options: LoadOptions, folder: Path, truths: Sequence[str] = ("benign", "malignant")) -> list[Row]:
    """What users logged by the end of their schedule, in the schedule's order."""
    with users(url, options, folder, truths) as (process, log):
        wait_for(lambda: not process.running())

        assert process.problem() == ""
        assert (folder / "console.txt").read_text() == ""
    return sorted(rows(log), key=number)


def rows(log: Path) -> list[Row]:
    """All rows of a log, which has to consist of whole lines below one header."""
    text = log.read_text()
    header, *lines = text.splitlines()

    assert text.endswith("\n")
    assert header == HEADER
    return [Row(*fields) for fields in csv.reader(lines, strict=True)]


def number(row: Row) -> int:
    """Which request of the schedule this is."""
    return int(row.request_id.rpartition("-")[2])


def seconds(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()
