import csv
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.log import RequestLog, WallClock
from strategies.userlog import HEADER, Row


def row(user: str = "1", version: str = "v1") -> Row:
    return Row("2026-01-02T03:04:05.000006Z", "", "0.000001", user, "id", "blue", version, "200", "", "benign", "benign")


def test_rows_appear_when_flushed_below_a_single_header(tmp_path: Path) -> None:
    path = tmp_path / "requests.csv"

    log = RequestLog(path)
    assert path.read_text() == f"{HEADER}\n"
    log.append(row("1"))
    assert path.read_text() == f"{HEADER}\n"
    log.flush()
    log.flush()
    assert path.read_text() == f"{HEADER}\n2026-01-02T03:04:05.000006Z,,0.000001,1,id,blue,v1,200,,benign,benign\n"
    log.append(row("2"))
    log.close()
    again = RequestLog(path)
    again.append(row("3"))
    again.close()

    with path.open() as file:
        assert [entry["user"] for entry in csv.DictReader(file)] == ["1", "2", "3"]


def test_what_a_server_writes_into_its_headers_cannot_break_the_columns(tmp_path: Path) -> None:
    log = RequestLog(tmp_path / "requests.csv")
    log.append(row(version='v1,"two"'))
    log.close()

    with (tmp_path / "requests.csv").open() as file:
        assert [Row(*fields) for fields in csv.reader(file)][1:] == [row(version='v1,"two"')]


@contextmanager
def files_limited_to(size: int) -> Iterator[None]:
    """What a full disk does to a write: it takes a part and refuses the rest."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("room", [0, 1, 90, 91, 200])
def test_a_full_disk_leaves_whole_lines_and_is_an_error(tmp_path: Path, room: int) -> None:
    path = tmp_path / "requests.csv"
    log = RequestLog(path)
    for user in range(20):
        log.append(row(str(user)))

    with files_limited_to(len(HEADER) + 1 + room), pytest.raises(OSError, match="File too large"):
        log.flush()

    lines = path.read_text().splitlines(keepends=True)
    assert [line.endswith("\n") and line.count(",") == HEADER.count(",") for line in lines] == [True] * len(lines)
    log.append(row("after"))
    log.close()
    assert path.read_text().count("\n") == len(lines) + 1


@given(st.floats(0, 4e9), st.floats(0, 1e6), st.floats(0, 1e6))
def test_times_follow_the_monotonic_clock_whatever_becomes_of_the_wall_clock(wall: float, booted: float, later: float) -> None:
    looks = iter([wall])
    clock = WallClock(lambda: next(looks), lambda: booted)

    first, second = clock.text(booted), clock.text(booted + later)

    assert first <= second
    assert len(first) == len("2026-01-02T03:04:05.000006Z")


def test_a_time_is_utc_with_microseconds() -> None:
    assert WallClock(lambda: 1_767_323_045.5, lambda: 100.0).text(101.000006) == "2026-01-02T03:04:06.500006Z"
