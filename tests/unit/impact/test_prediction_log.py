"""The prediction log as it is read: what the model API itself wrote, whole, once, and while it is being written."""

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from app.log_databases import database
from app.prediction_log import Predicted, Truth
from app.prediction_log import PredictionLog as Writer
from impact.prediction_log import Logged, PredictionLog, require_whole
from strategies.errors import WitnessLost
from strategies.traffic import Slot
from tests import postgresql


def predicted(number: int, **changes: Any) -> Predicted:
    return Predicted(f"r-{number}", 1000.5 + number, "blue", "v1", False, "benign", 0.75, 0.002, 200)._replace(**changes)


@contextmanager
def writer(url: str) -> Iterator[Writer]:
    """The model API's own writer; all it was given is written at the end."""
    one = Writer(database(url))
    one.start()
    yield one
    one.close()


def test_what_replicas_log_is_read_as_it_was_and_once(log_url: str) -> None:
    with PredictionLog(log_url, since=0) as log:
        assert log.poll() == ([], {})
        with writer(log_url) as one:
            one.append(predicted(1))
            one.append(predicted(1, slot="green", version="v2", mirrored=True, prediction=None, probability=None, status=500))
            one.append(Truth("r-1", 7.0, "malignant"))

        assert log.poll() == (
            [
                Logged("r-1", 1001.5, Slot.BLUE, "v1", False, "benign", 0.75, 0.002, 200),
                Logged("r-1", 1001.5, Slot.GREEN, "v2", True, "", None, 0.002, 500),
            ],
            {"r-1": "malignant"},
        )
        assert log.poll() == ([], {})
        with writer(log_url) as one:
            one.append(predicted(2))
        assert [logged.request_id for logged in log.poll().predictions] == ["r-2"]


def test_nothing_is_missed_or_read_twice_while_two_replicas_write(log_url: str) -> None:
    found: list[str] = []
    with PredictionLog(log_url, since=0) as log, writer(log_url) as one, writer(log_url) as other:
        for number in range(2000):
            (one, other)[number % 2].append(predicted(number))
            if number % 20 == 0:
                found += [logged.request_id for logged in log.poll().predictions]
        one.close()
        other.close()
        found += [logged.request_id for logged in log.poll().predictions]

    assert len(found) == 2000
    assert set(found) == {f"r-{number}" for number in range(2000)}


def test_what_was_before_is_not_read(log_url: str) -> None:
    with writer(log_url) as one:
        for number in range(5):
            one.append(predicted(number))
            one.append(Truth(f"r-{number}", 1000.5 + number, "benign"))

    with PredictionLog(log_url, since=1003.5) as log:
        news = log.poll()
    assert [logged.request_id for logged in news.predictions] == list(news.truths) == ["r-3", "r-4"]


def test_reading_changes_nothing(tmp_path: Path) -> None:
    """The file may even be one that the reader must not write."""
    path = tmp_path / "predictions.db"
    with writer(f"sqlite:///{path}") as one:
        one.append(predicted(1))
    path.chmod(stat.S_IRUSR)

    with PredictionLog(f"sqlite:///{path}", since=0) as log:
        assert len(log.poll().predictions) == 1
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("SELECT count(*) FROM prediction_log").fetchone() == (1,)


def test_a_file_that_is_no_log_is_a_lost_witness(tmp_path: Path) -> None:
    path = tmp_path / "predictions.db"
    path.write_text("not a database, but long enough to be taken for one" * 100)

    with PredictionLog(f"sqlite:///{path}", since=0) as log, pytest.raises(WitnessLost, match="cannot be read: file is not a database"):
        log.poll()


def test_a_database_without_an_encoding_is_read_as_text(postgresql_server: postgresql.Server) -> None:
    """As one is that was made where no language is set; its text would come as bytes."""
    url = postgresql_server.new_database("SQL_ASCII")
    with writer(url) as one:
        one.append(predicted(1))
        one.append(Truth("r-1", 1001.5, "benign"))

    with PredictionLog(url, since=0) as log:
        assert log.poll() == ([Logged("r-1", 1001.5, Slot.BLUE, "v1", False, "benign", 0.75, 0.002, 200)], {"r-1": "benign"})


def test_a_postgresql_that_is_away_is_a_lost_witness_until_it_is_back_and_its_password_is_not_told(
    postgresql_server: postgresql.Server,
) -> None:
    url = postgresql_server.new_database()
    with writer(url) as one:
        one.append(predicted(1))
    with PredictionLog(url.replace("///", "//postgres:hush@/"), since=0) as log:
        with postgresql_server.away(), pytest.raises(WitnessLost, match="PostgreSQL cannot be read") as lost:
            log.poll()
        assert "hush" not in str(lost.value)
        assert len(log.poll().predictions) == 1


def test_a_slot_that_the_lab_does_not_have_is_a_lost_witness(log_url: str) -> None:
    with writer(log_url) as one:
        one.append(predicted(1, slot="purple"))

    with PredictionLog(log_url, since=0) as log, pytest.raises(WitnessLost, match="'purple'"):
        log.poll()


@pytest.mark.parametrize("url", ["", "predictions.db", "sqlite://x", "mysql://user:hush@host/x"])
def test_other_urls_are_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(ValueError, match="sqlite:///FILE or postgresql://") as refused:
        PredictionLog(url, since=0)
    assert "hush" not in str(refused.value)


def test_a_log_with_holes_is_a_lost_witness() -> None:
    require_whole({})
    require_whole({Slot.BLUE: 0.0, Slot.GREEN: 0.0})

    with pytest.raises(WitnessLost, match="not whole \\(3 of green dropped\\)"):
        require_whole({Slot.BLUE: 0.0, Slot.GREEN: 3.0})
