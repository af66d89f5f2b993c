"""What a batch depends on goes away while it runs: a sentence, and every row once when it is repeated."""

import os
import re
import signal
import subprocess
from contextlib import ExitStack, suppress
from pathlib import Path

import numpy as np
import pytest

from app.batch import STOPPED
from tests import postgresql
from tests.unit.app.batches import begun, counted
from tests.unit.app.conftest import ClientFactory
from tests.unit.app.s3_server import S3Server
from tests.unit.app.test_api import HOLDOUT, holdout_case
from tests.unit.app.test_batch import DEADLINE, command, run, write_csv
from tests.waiting import wait_for

TIMES = 15
TOTAL = TIMES * len(HOLDOUT.values)


@pytest.fixture
def many(tmp_path: Path) -> Path:
    return write_csv(tmp_path / "many.csv", np.tile(HOLDOUT.values, (TIMES, 1)).tolist())


def goes_on(store: Path, url: str, path: Path) -> None:
    """What the batch of `many` in `path` has written is there once, and the next run adds what is missing."""
    before, different = counted(url)
    assert 0 < before == different < TOTAL

    assert f"{before} of them before" in run(store, url, path)

    assert counted(url) == (TOTAL, TOTAL)


def told(process: "subprocess.Popen[str]", code: int) -> str:
    """The one sentence that a batch which fails ends with."""
    _, said = process.communicate(timeout=DEADLINE)
    assert process.returncode == code, said
    # how far it has come may stand above it
    *_, sentence = said.splitlines()
    assert "Traceback" not in said
    return sentence


def test_a_sqlite_file_that_is_moved_away_is_missed_at_once_and_goes_on_once_it_is_back(store: Path, tmp_path: Path, many: Path) -> None:
    """SQLite itself would go on and say nothing, and what it writes then would be found by nobody."""
    database = tmp_path / "predictions.db"
    url = f"sqlite:///{database}"
    with begun(store, url, many) as process:
        away = database.rename(tmp_path / "away.db")
        assert re.search("was moved away or exchanged during use: put it back, and repeat the batch", told(process, 3))
    away.rename(database)
    goes_on(store, url, many)


@pytest.mark.cluster
def test_a_database_that_is_killed_is_a_sentence_and_goes_on_once_it_is_back(
    store: Path, postgresql_server: postgresql.Server, many: Path
) -> None:
    url = postgresql_server.new_database()
    with begun(store, url, many) as process, postgresql_server.away():
        sentence = told(process, 3)
        assert "check that it is up, and repeat the batch: it goes on where it was" in sentence
        assert "check that it is up" in run(store, url, many, code=3)
    # as it was named, and not as it is called inside
    assert sentence.startswith(f"the database {url} failed (")
    goes_on(store, url, many)


@pytest.mark.cluster
def test_a_second_ctrl_c_ends_a_batch_whose_database_hangs_and_no_row_is_lost(
    store: Path, postgresql_server: postgresql.Server, many: Path
) -> None:
    url = postgresql_server.new_database()
    with begun(store, url, many) as process:
        with postgresql_server.hanging():

            def ended() -> bool:
                process.send_signal(signal.SIGINT)
                # as slowly as a person: psycopg notices a signal only after a tenth of a second without another one
                with suppress(subprocess.TimeoutExpired):
                    process.wait(0.5)
                return process.poll() is not None

            wait_for(ended, "an end of the batch")
        assert process.returncode in {-signal.SIGINT, STOPPED}
    goes_on(store, url, many)


@pytest.mark.cluster
def test_a_schedule_outlives_a_database_that_is_down(store: Path, postgresql_server: postgresql.Server, tmp_path: Path, many: Path) -> None:
    url = postgresql_server.new_database()
    program = command(store, url, many, "--schedule", "* * * * * *")
    log = tmp_path / "batch.log"

    def successes() -> int:
        return log.read_text().count(f"{TOTAL} rows")

    with ExitStack() as down, log.open("w") as out:
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        process = subprocess.Popen(program, stdout=out, stderr=out, env=environment)
        try:
            # a database that is down from the first is told at once
            wait_for(lambda: "next run at" in log.read_text(), "a first time", DEADLINE)
            down.enter_context(postgresql_server.away())
            wait_for(lambda: log.read_text().count("check that it is up") > 1, "two failures", DEADLINE)
            before = successes()
            down.close()
            wait_for(lambda: successes() > before, "a success", DEADLINE)
            process.send_signal(signal.SIGTERM)
            assert process.wait(DEADLINE) == 0, log.read_text()
        finally:
            process.kill()
            process.wait()

    assert counted(url) == (TOTAL, TOTAL)


@pytest.mark.cluster
def test_a_service_whose_database_is_killed_says_so_predicts_on_and_shows_the_same_once_it_is_back(
    store: Path, postgresql_server: postgresql.Server, many: Path, client: ClientFactory
) -> None:
    url = postgresql_server.new_database()
    run(store, url, many)
    shown = client("v2", database=url)
    before = shown.get("/predictions", params={"limit": 1000}).json()
    assert len(before["predictions"]) == 1000

    with postgresql_server.away():
        answer = shown.get("/predictions")
        assert answer.status_code == 503
        assert re.fullmatch("the database .* failed .*: check that it is up, and that .* has filled it", answer.json()["detail"])
        assert shown.post("/predict", json=holdout_case(0)).status_code == 200
        assert shown.get("/readyz").status_code == 200

    assert shown.get("/predictions", params={"limit": 1000}).json() == before


@pytest.mark.cluster
def test_a_service_whose_database_hangs_says_so_and_is_scraped_meanwhile(
    store: Path, postgresql_server: postgresql.Server, many: Path, client: ClientFactory
) -> None:
    """A replica that is not scraped in time counts as gone, though it predicts."""
    url = postgresql_server.new_database()
    run(store, url, many)
    shown = client("v2", database=url)
    before = shown.get("/predictions").json()
    assert shown.get("/metrics").status_code == 200

    with postgresql_server.hanging():
        answer = shown.get("/predictions")
        assert answer.status_code == 503
        assert "timeout" in answer.json()["detail"]
        wait_for(lambda: "model_batch_database_up 0.0" in shown.get("/metrics").text, "a scrape without the database")
        assert shown.post("/predict", json=holdout_case(0)).status_code == 200

    assert shown.get("/predictions").json() == before
    wait_for(lambda: "model_batch_database_up 1.0" in shown.get("/metrics").text, "a scrape with the database")


@pytest.mark.everything
def test_a_batch_outlives_an_s3_store_that_is_killed_and_misses_it_at_its_next_start(
    store: Path, tmp_path: Path, many: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path / 'predictions.db'}"
    with S3Server(tmp_path) as server:
        server.new_bucket("s3://models", monkeypatch)
        publish = ("app.stores", "publish", "v2", "--from", str(store), "--store", "s3://models")
        subprocess.run([*command(store, url, many)[:2], *publish], check=True, capture_output=True, timeout=DEADLINE)
        with begun("s3://models", url, many) as process:
            server.end()
            said, _ = process.communicate(timeout=DEADLINE)
            assert process.returncode == 0, said
    assert counted(url) == (TOTAL, TOTAL)

    again = [*command(store, url, many)]
    again[again.index("--store") + 1] = "s3://models"
    done = subprocess.run(again, check=False, capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 3
    assert re.fullmatch(r"the store s3://models cannot be used \(.*\): check that it is up, and the AWS_ variables\n", done.stderr)
    assert counted(url) == (TOTAL, TOTAL)
