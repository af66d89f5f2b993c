"""The users' log is read as it grows: every whole row once, in order, and nothing that cannot be trusted."""

import math
import tempfile
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impact.userlog import Request, UserLog
from strategies.errors import WitnessLost
from strategies.traffic import Slot
from strategies.userlog import HEADER, Row
from tests.unit.impact.recorded_run import START, row, write_rows

GOOD = ",".join(row(1.0))
UNSENT = row(1.0, slot="", sent="", latency="", status=0, failure="unsent", predicted="")


def read(folder: Path, *rows: Row) -> list[Request]:
    write_rows(folder / "001.csv", rows)
    return list(UserLog(folder).poll())


def test_a_row_becomes_a_typed_request(tmp_path: Path) -> None:
    line = row(1.25, slot="green", latency="0.012345", user=7, request_id='a,"b"', predicted="malignant")

    assert read(tmp_path, line) == [
        Request(
            intended=START.timestamp() + 1.25,
            sent=START.timestamp() + 1.25,
            latency=0.012345,
            user=7,
            request_id='a,"b"',
            slot=Slot.GREEN,
            version="v2",
            status=200,
            failure="",
            predicted="malignant",
            truth="benign",
        )
    ]


def test_a_request_that_never_left_has_no_sending_time_and_no_latency(tmp_path: Path) -> None:
    (request,) = read(tmp_path, UNSENT)

    assert request.sent is None
    assert math.isnan(request.latency)
    assert request.slot is None


@pytest.mark.parametrize(
    ("line", "words"),
    [
        pytest.param(row(1), {"answered"}, id="good"),
        pytest.param(row(1, status=204, predicted="malignant"), {"answered", "wrong"}, id="wrong"),
        pytest.param(row(1, status=500, failure="status", predicted=""), {"answered", "failed"}, id="error"),
        pytest.param(row(1, status=302, failure="status", predicted=""), {"answered", "failed"}, id="redirect"),
        pytest.param(row(1, slot="", status=0, failure="connection", predicted=""), {"failed", "unattributed"}, id="no connection"),
        pytest.param(row(1, status=200, failure="timeout", predicted=""), {"failed"}, id="half an answer"),
        pytest.param(UNSENT, {"unsent"}, id="never sent"),
    ],
)
def test_what_became_of_a_request(tmp_path: Path, line: Row, words: set[str]) -> None:
    (request,) = read(tmp_path, line)

    assert {word for word in ("answered", "failed", "wrong", "unattributed", "unsent") if getattr(request, word)} == words


@given(cuts=st.lists(st.integers(0, 2000), max_size=8), end=st.sampled_from(["\n", "\r\n"]))
def test_however_the_file_grows_each_row_is_read_once(cuts: list[int], end: str) -> None:
    """A line that is half written at one poll is whole at a later one, wherever it was cut."""
    text = end.join([HEADER, *(",".join(row(float(number), request_id=f"é{number}")) for number in range(12)), ""]).encode()
    with tempfile.TemporaryDirectory() as folder:
        log = UserLog(Path(folder))
        polled: list[Request] = []
        for start, stop in pairwise(sorted({0, len(text), *(min(cut, len(text)) for cut in cuts)})):
            with (Path(folder) / "001.csv").open("ab") as file:
                file.write(text[start:stop])
            polled += log.poll()

    assert [request.request_id for request in polled] == [f"é{number}" for number in range(12)]
    assert log.requests == polled


def test_files_may_appear_later_and_grow_side_by_side(tmp_path: Path) -> None:
    log = UserLog(tmp_path / "requests")
    assert log.poll() == []

    (tmp_path / "requests").mkdir()
    write_rows(tmp_path / "requests" / "001.csv", [row(1, request_id="a")])
    assert [request.request_id for request in log.poll()] == ["a"]

    write_rows(tmp_path / "requests" / "002.csv", [row(2, request_id="b")])
    write_rows(tmp_path / "requests" / "001.csv", [row(3, request_id="c")])
    assert [request.request_id for request in log.poll()] == ["c", "b"]
    assert [request.request_id for request in log.requests] == ["a", "c", "b"]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "nonsense",
        GOOD + ",more",
        GOOD.replace("blue", "purple"),
        GOOD.replace("0.010", "-1"),
        GOOD.replace("0.010", "nan"),
        GOOD.replace("0.010", ""),
        GOOD.replace("Z,", ",", 1),
        GOOD.replace("2026-11-22", "yesterday"),
        GOOD.replace(",200,,", ",200,lost,"),
        GOOD.replace(",200,,", ",200,unsent,"),
        GOOD.replace("benign", '"benign'),
    ],
)
def test_a_whole_line_that_is_no_request_ends_the_reading_by_its_number(tmp_path: Path, line: str) -> None:
    write_rows(tmp_path / "001.csv", [row(1), row(2)])
    log = UserLog(tmp_path)
    log.poll()
    with (tmp_path / "001.csv").open("a") as file:
        file.write(f"{GOOD}\n{line}\n")

    with pytest.raises(WitnessLost, match=r"^line 5 of the users' log .*001\.csv is not a request: "):
        log.poll()


def test_a_file_without_the_header_is_not_a_users_log(tmp_path: Path) -> None:
    (tmp_path / "001.csv").write_text(f"{GOOD}\n")

    with pytest.raises(WitnessLost, match=r"line 1 .*001\.csv.*columns are not"):
        UserLog(tmp_path).poll()


def test_bytes_that_are_no_text_end_the_reading(tmp_path: Path) -> None:
    (tmp_path / "001.csv").write_bytes(b"\xff\n")

    with pytest.raises(WitnessLost, match="not text"):
        UserLog(tmp_path).poll()


def test_a_file_that_shrinks_or_vanishes_is_a_lost_witness(tmp_path: Path) -> None:
    """What it had said before can no longer be told from what it says now, and no requests would look like no load."""
    path = tmp_path / "001.csv"
    write_rows(path, [row(1), row(2)])
    log = UserLog(tmp_path)
    log.poll()

    path.write_text(HEADER + "\n")
    with pytest.raises(WitnessLost, match="shorter"):
        log.poll()
    path.unlink()
    with pytest.raises(WitnessLost, match="cannot be read"):
        log.poll()
