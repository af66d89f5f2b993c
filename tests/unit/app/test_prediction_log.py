"""The prediction log: nothing is lost unnoticed, and no request waits for it or fails by it."""

import logging
import multiprocessing
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from app.errors import LogUnwritable
from app.log_databases import database
from app.prediction_log import Predicted, PredictionLog, Truth
from tests import postgresql
from tests.unit.app.conftest import ReplicaFactory
from tests.unit.app.test_api import holdout_case
from tests.waiting import wait_for

DEADLINE = 60.0


def predicted(number: int) -> Predicted:
    return Predicted(f"r-{number}", 1000.5 + number, "green", "v2", number % 2 == 1, "benign", 0.75, 0.002, 200)


def rows(url: str, columns: str, table: str) -> list[tuple[Any, ...]]:
    """What another program finds, in the order of the ids; nothing if nobody has written yet."""
    statement = f"SELECT {columns} FROM {table} ORDER BY id"
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as file:
            try:
                return file.execute(statement).fetchall()
            except sqlite3.OperationalError:
                return []
    with psycopg.connect(url) as server:
        try:
            return server.execute(statement.encode()).fetchall()
        except psycopg.errors.UndefinedTable:
            return []


@contextmanager
def log(url: str, capacity: int = 10_000) -> Iterator[PredictionLog]:
    one = PredictionLog(database(url), capacity)
    one.start()
    yield one
    one.close()


def test_what_is_appended_is_found_in_the_database_as_it_was(log_url: str) -> None:
    failed = Predicted("r-x", 1.25, "blue", "v1", False, None, None, 0.5, 500)
    with log(log_url) as one:
        records: list[Predicted | Truth] = [*map(predicted, range(3)), failed, Truth("r-0", 7.5, "malignant")]
        assert all(map(one.append, records))
        wait_for(lambda: len(rows(log_url, "id", "feedback_log")) == 1)

    assert rows(log_url, ", ".join(Predicted._fields), "prediction_log") == [*map(predicted, range(3)), failed]
    assert rows(log_url, ", ".join(Truth._fields), "feedback_log") == [("r-0", 7.5, "malignant")]


def test_all_that_waits_is_written_before_the_end(log_url: str) -> None:
    with log(log_url) as one:
        for number in range(2500):
            assert one.append(predicted(number))

    assert rows(log_url, "request_id", "prediction_log") == [(f"r-{number}",) for number in range(2500)]


def _write_many(url: str, writer: int) -> None:
    for turn in range(5):
        with log(url) as one:
            for number in range(60):
                one.append(predicted(1000 * writer + 60 * turn + number))


def test_replicas_that_write_at_once_lose_nothing(log_url: str) -> None:
    """Also while they all begin, each finding no table."""
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_many, args=(log_url, writer)) for writer in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(DEADLINE)
        writer.kill()

    expected = {f"r-{1000 * writer + number}" for writer in range(2) for number in range(300)}
    found = [request_id for (request_id,) in rows(log_url, "request_id", "prediction_log")]
    assert set(found) == expected
    assert len(found) == 600


class Unreliable:
    """A database that takes nothing until `away` is cleared, and remembers what it took."""

    def __init__(self) -> None:
        self.away = threading.Event()
        self.away.set()
        self.asked = threading.Event()
        self.taken: list[Predicted | Truth] = []

    def write(self, predicted: Sequence[Predicted], truths: Sequence[Truth]) -> None:
        self.asked.set()
        if self.away.is_set():
            raise LogUnwritable("it is away")
        self.taken += [*predicted, *truths]

    def close(self) -> None:
        pass


def test_while_the_database_is_away_records_wait_up_to_the_bound_and_are_written_once_it_is_back(caplog: pytest.LogCaptureFixture) -> None:
    one = Unreliable()
    caplog.set_level(logging.INFO)
    log = PredictionLog(lambda: one, capacity=5)
    log.start()
    log.append(predicted(0))
    wait_for(one.asked.is_set)

    assert [log.append(predicted(number)) for number in range(1, 9)] == [True] * 5 + [False] * 3
    one.away.clear()
    wait_for(lambda: len(one.taken) == 6)
    log.close()

    assert one.taken == [predicted(number) for number in range(6)]
    assert [record.getMessage() for record in caplog.records] == [
        "it is away; up to 5 records wait for it",
        "the prediction log is written again",
    ]


def test_a_database_that_stays_away_does_not_keep_a_replica_from_ending_and_the_loss_is_told(caplog: pytest.LogCaptureFixture) -> None:
    log = PredictionLog(Unreliable)
    log.start()
    for number in range(3):
        log.append(predicted(number))
    log.close()

    assert "3 records of the prediction log are lost" in caplog.text


def test_a_postgresql_that_went_away_and_came_back_has_everything(
    postgresql_server: postgresql.Server, caplog: pytest.LogCaptureFixture
) -> None:
    url = postgresql_server.new_database()
    with log(url) as one:
        one.append(predicted(0))
        wait_for(lambda: len(rows(url, "id", "prediction_log")) == 1)
        with postgresql_server.away():
            one.append(predicted(1))
            wait_for(lambda: "PostgreSQL does not take it" in caplog.text)
        one.append(predicted(2))
        wait_for(lambda: len(rows(url, "id", "prediction_log")) == 3)

    assert rows(url, "request_id", "prediction_log") == [("r-0",), ("r-1",), ("r-2",)]


def test_sentences_about_a_database_never_tell_its_password() -> None:
    with pytest.raises(LogUnwritable, match="PostgreSQL does not take it") as refused:
        database("postgresql://someone:hush@127.0.0.1:1/none")()

    assert "hush" not in str(refused.value)


def test_a_replica_logs_what_it_predicted_failed_at_and_was_told_and_flushes_at_its_end(replica: ReplicaFactory, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/predictions.db"
    one = replica("v2-broken", slot="green", prediction_log=url, drain_seconds="0")
    answers = []
    with httpx.Client(base_url=one.url) as client:
        for number in range(40):
            mirrored = {"host": "model-shadow"} if number % 2 else {}
            answers.append(client.post("/predict", json=holdout_case(number), headers={"x-request-id": f"q-{number}", **mirrored}))
        assert client.post("/predict", json={}).status_code == 422
        told = client.post("/feedback", json={"request_id": "q-0", "truth": "benign"})
        copied = client.post("/feedback", json={"request_id": "q-1", "truth": "benign"}, headers={"host": "model-shadow"})
        one.process.terminate()
    assert one.process.wait(DEADLINE) == 0

    assert {answer.status_code for answer in answers} == {200, 500}
    assert rows(url, "request_id, slot, version, mirrored, status, prediction", "prediction_log") == [
        (f"q-{number}", "green", "v2-broken", number % 2, answer.status_code, answer.json().get("prediction"))
        for number, answer in enumerate(answers)
    ]
    for at, latency, probability, status in rows(url, "at, latency, probability, status", "prediction_log"):
        assert time.time() - 120 < at < time.time()
        assert 0 < latency < DEADLINE
        assert (probability is None) == (status == 500)
    assert (told.status_code, copied.status_code) == (202, 202)
    assert rows(url, "request_id, truth", "feedback_log") == [("q-0", "benign")]


def test_a_replica_whose_log_cannot_be_written_serves_as_ever(replica: ReplicaFactory, tmp_path: Path) -> None:
    one = replica("v2", prediction_log=f"sqlite:///{tmp_path}/nowhere/predictions.db", drain_seconds="0")

    assert httpx.post(f"{one.url}/predict", json=holdout_case(0)).status_code == 200
    wait_for(lambda: "cannot be written" in one.log.read_text())
    one.process.terminate()
    assert one.process.wait(DEADLINE) == 0
    assert "1 records of the prediction log are lost" in one.log.read_text()
