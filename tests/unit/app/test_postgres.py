"""The same promises on a real PostgreSQL server as on SQLite."""

import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from app.predictions.database import open_database
from app.predictions.migrating import migrate
from app.predictions.reading import page
from tests import postgresql
from tests.ports import free_port
from tests.unit.app.batches import begun, counted
from tests.unit.app.conftest import ClientFactory
from tests.unit.app.test_api import HOLDOUT
from tests.unit.app.test_batch import DEADLINE, command, run, write_csv

pytestmark = pytest.mark.cluster


@pytest.fixture
def url(postgresql_server: postgresql.Server) -> str:
    """An empty database."""
    return postgresql_server.new_database()


def test_a_killed_run_goes_on_and_two_at_once_write_each_row_once(store: Path, url: str, tmp_path: Path, client: ClientFactory) -> None:
    many = write_csv(tmp_path / "many.csv", np.tile(HOLDOUT.values, (15, 1)).tolist())
    total = 15 * len(HOLDOUT.values)
    with begun(store, url, many, chunk=20) as process:
        process.send_signal(signal.SIGKILL)
    assert 0 < counted(url)[0] < total

    both = [subprocess.Popen(command(store, url, many, "--chunk", "50"), stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
    try:
        said = [one.communicate(timeout=DEADLINE) for one in both]
    finally:
        for one in both:
            one.kill()
            one.wait()

    assert [one.returncode for one in both] == [0, 0], said
    assert counted(url) == (total, total)
    run(store, url, many)
    assert counted(url) == (total, total)

    shown = client("v2", database=url)
    first = shown.get("/predictions", params={"limit": 100, "version": "v2"}).json()
    second = shown.get("/predictions", params={"limit": 100, "cursor": first["next_cursor"]}).json()
    keys = {one["row"] for answer in (first, second) for one in answer["predictions"]}
    assert len(keys) == 200
    assert f'model_batch_rows_total{{result="predicted",version="v2"}} {total:.1f}' in shown.get("/metrics").text


def test_a_database_without_an_encoding_is_filled_and_read_as_text(postgresql_server: postgresql.Server) -> None:
    engine = open_database(postgresql_server.new_database("SQL_ASCII"), writes=True)
    migrate(engine)

    assert page(engine, limit=1, version="v1").predictions == []
    engine.dispose()


def test_processes_that_migrate_at_the_same_time_wait_for_each_other(url: str) -> None:
    engines = [open_database(url, writes=True) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(migrate, engines))

    assert page(engines[0], limit=1).predictions == []
    for engine in engines:
        engine.dispose()


def test_a_server_that_is_down_is_a_sentence_without_its_password(client: ClientFactory) -> None:
    shown = client("v2", database=f"postgresql://lab:hush@127.0.0.1:{free_port()}/postgres")

    answer = shown.get("/predictions")

    assert answer.status_code == 503
    assert "hush" not in answer.text
    assert "model_batch_database_up 0.0" in shown.get("/metrics").text
    assert shown.get("/readyz").status_code == 200
