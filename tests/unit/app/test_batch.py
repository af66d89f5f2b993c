"""Predictions in a database: each row of an input exactly once, whatever happens in between."""

import csv
import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, redirect_stderr, redirect_stdout
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from sqlalchemy import Engine, text

from app.batch import main
from app.dataset import FEATURES
from app.errors import DatabaseFailed, InputRefused
from app.predictions.database import asking, open_database
from app.predictions.migrating import migrate
from app.predictions.observations import read
from app.predictions.reading import page
from app.predictions.schedule import Schedule
from tests.unit.app.conftest import ClientFactory
from tests.unit.app.test_api import HOLDOUT
from tests.unit.app.test_metrics import value

DEADLINE = 120.0


def write_csv(path: Path, rows: list[list[Any]], header: tuple[str, ...] = FEATURES) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def write_parquet(path: Path, rows: list[list[Any]]) -> Path:
    parquet.write_table(pa.table(dict(zip(FEATURES, map(list, zip(*rows, strict=True)), strict=True))), path)
    return path


@pytest.fixture
def holdout(tmp_path: Path) -> Path:
    return write_csv(tmp_path / "holdout.csv", HOLDOUT.values.tolist())


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'predictions.db'}"


@pytest.fixture
def database(url: str) -> Iterator[Engine]:
    engine = open_database(url, writes=False)
    yield engine
    engine.dispose()


def command(store: Path, url: str, path: Path, *options: str, version: str = "v2") -> list[str]:
    return [sys.executable, "-m", "app.batch", str(path), "--store", str(store), "--version", version, "--database", url, *options]


def run(store: Path, url: str, path: Path, *options: str, version: str = "v2", code: int = 0) -> str:
    """What a run in this process says; stderr is what is told if it must fail."""
    handlers = {signum: signal.getsignal(signum) for signum in (signal.SIGTERM, signal.SIGINT)}
    said, told = io.StringIO(), io.StringIO()
    try:
        with redirect_stdout(said), redirect_stderr(told):
            ended = main(command(store, url, path, *options, version=version)[3:])
    finally:
        for signum, handler in handlers.items():
            signal.signal(signum, handler)
    assert ended == code, told.getvalue()
    return (said if code == 0 else told).getvalue().strip()


def rows(engine: Engine) -> list[tuple[Any, ...]]:
    """Row, version, prediction, probability and refusal of all predictions."""
    with asking(engine) as connection:
        return [
            tuple(one)
            for one in connection.execute(text("SELECT row, version, prediction, probability, refusal FROM predictions ORDER BY id"))
        ]


def test_a_batch_predicts_what_the_service_does_and_a_repeated_one_changes_nothing(
    store: Path, url: str, holdout: Path, client: ClientFactory, loaded: Any
) -> None:
    database = open_database(url, writes=False)
    assert run(store, url, holdout, "--chunk", "50").startswith(f"{len(HOLDOUT.values)} rows of ")
    first = rows(database)
    database.dispose()

    assert f"{len(HOLDOUT.values)} of them before" in run(store, url, holdout)

    assert rows(database) == first
    database.dispose()
    assert [row for row, *_ in first] == list(range(len(HOLDOUT.values)))
    model = loaded("v2")
    for case, (_, version, prediction, probability, refusal) in zip(HOLDOUT.values[:20], first, strict=False):
        alone = model.predict(dict(zip(FEATURES, case.tolist(), strict=True)))
        assert (version, prediction, refusal) == ("v2", max(alone, key=alone.__getitem__), None)
        assert probability == pytest.approx(max(alone.values()), abs=1e-12)

    answer = client("v2", database=url).get("/predictions", params={"limit": 10}).json()
    assert [one["row"] for one in answer["predictions"]] == list(range(len(HOLDOUT.values) - 1, len(HOLDOUT.values) - 11, -1))


@pytest.mark.parametrize("write", [write_csv, write_parquet])
def test_a_run_that_is_killed_goes_on_where_it_was(
    store: Path, url: str, database: Engine, tmp_path: Path, write: Callable[[Path, list[list[Any]]], Path]
) -> None:
    many = write(tmp_path / write.__name__.replace("write_", "many."), np.tile(HOLDOUT.values, (60, 1)).tolist())
    total = 60 * len(HOLDOUT.values)

    def written() -> int:
        try:
            return len(rows(database))
        except DatabaseFailed:
            return 0

    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
        before, deadline = written(), time.monotonic() + DEADLINE
        process = subprocess.Popen(command(store, url, many, "--chunk", "20"), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            while written() == before:
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < deadline
                time.sleep(0.005)
            process.send_signal(number)
            _, told = process.communicate(timeout=DEADLINE)
        finally:
            process.kill()
            process.communicate()
        assert process.returncode == {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}[number]
        assert before < written() < total
        said = f"stopped after {written()} rows of {many}: the same command goes on from there\n"
        assert told.decode() == ("" if number == signal.SIGKILL else said)

    run(store, url, many)

    assert sorted(row for row, *_ in rows(database)) == list(range(total))


def test_two_runs_at_once_write_each_row_once(store: Path, url: str, database: Engine, tmp_path: Path) -> None:
    many = write_csv(tmp_path / "many.csv", np.tile(HOLDOUT.values, (10, 1)).tolist())
    both = [subprocess.Popen(command(store, url, many, "--chunk", "30"), stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
    try:
        said = [process.communicate(timeout=DEADLINE) for process in both]
    finally:
        for process in both:
            process.kill()
            process.wait()

    assert [process.returncode for process in both] == [0, 0], said
    assert sorted(row for row, *_ in rows(database)) == list(range(10 * len(HOLDOUT.values)))


def test_what_cannot_be_predicted_is_written_as_refused_with_its_reason(store: Path, url: str, database: Engine, tmp_path: Path) -> None:
    good = [str(cell) for cell in HOLDOUT.values[0]]
    bad = [["", *good[1:]], ["x", *good[1:]], ["nan", *good[1:]], ["inf", *good[1:]], ["-1", *good[1:]], good[:3], ["\xff\x00", *good[1:]]]
    # blank lines are no rows
    mixed = write_csv(tmp_path / "mixed.csv", [[], good, *bad, ["  "], good, [], []])

    assert run(store, url, mixed).startswith("9 rows of ")

    found = rows(database)
    assert [refusal is not None for *_, refusal in found] == [False, *[True] * 7, False]
    assert "mean_radius is missing or no number" in found[1][-1]
    assert "mean_radius is -1, and not from 0" in found[5][-1]
    assert all(prediction is None for _, _, prediction, _, refusal in found if refusal)


def test_rows_that_the_model_itself_fails_on_are_refused_and_the_others_predicted(
    store: Path, url: str, database: Engine, holdout: Path, loaded: Any
) -> None:
    run(store, url, holdout, version="v2-broken")

    _, failed = loaded("v2-broken").predict_batch(HOLDOUT.values)
    refused = {row for row, _, _, _, refusal in rows(database) if refusal}
    assert refused == set(failed)
    assert 0 < len(refused) < len(rows(database)) == len(HOLDOUT.values)


def test_parquet_is_read_as_csv_is_in_any_chunks(store: Path, url: str, tmp_path: Path) -> None:
    columns = {name: column.tolist() for name, column in zip(FEATURES, HOLDOUT.values.T, strict=True)}
    columns["mean_radius"][2] = None
    parquet.write_table(pa.table({"case": list(range(len(HOLDOUT.values))), **columns}), tmp_path / "holdout.parquet")
    table = write_csv(
        tmp_path / "holdout.csv", [["" if value is None else value for value in row] for row in zip(*columns.values(), strict=True)]
    )

    whole = [
        np.concatenate([chunk.values for chunk in read(path, FEATURES, size)])
        for path in (tmp_path / "holdout.parquet", table)
        for size in (7, 1000)
    ]

    assert all(np.array_equal(values, whole[0], equal_nan=True) for values in whole)
    assert np.isnan(whole[0]).sum() == 1
    assert "1 refused" in run(store, url, tmp_path / "holdout.parquet")


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        (b"", "a.csv", "lacks the columns mean_radius"),
        (b"mean_radius\n1\n", "a.csv", "lacks the columns mean_texture"),
        ((",".join((*FEATURES, "mean_radius"))).encode(), "a.csv", "more than once"),
        ((",".join(FEATURES) + '\n"' + "x" * 200_000).encode(), "a.csv", "is no CSV"),
        (b"PAR1", "a.parquet", "cannot be read as Parquet"),
    ],
)
def test_an_input_that_is_none_is_refused_in_a_sentence(tmp_path: Path, content: bytes, name: str, said: str) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(InputRefused, match=said) as refused:
        list(read(tmp_path / name, FEATURES, 10))
    assert "\n" not in str(refused.value)


def test_what_fails_is_one_sentence_with_its_exit_code(store: Path, tmp_path: Path, url: str, holdout: Path) -> None:
    assert "cannot be read" in run(store, url, tmp_path / "nowhere.csv", code=3)
    assert "has no version v9" in run(store, url, holdout, version="v9", code=2)
    assert "is not supported" in run(store, "mysql://root:secret@localhost/x", holdout, code=3)
    assert "unable to open database file" in run(store, f"sqlite:///{tmp_path}/no/p.db", holdout, code=3)
    for named in ("postgresql://lab:secret@127.0.0.1:1/lab", "postgresql://127.0.0.1:1/lab?user=lab&password=secret"):
        down = run(store, named, holdout, code=3)
        assert "check that it is up, and repeat the batch: it goes on where it was" in down
        assert "secret" not in down


def test_what_a_schedule_would_fail_on_every_time_is_told_before_it_waits(store: Path, tmp_path: Path, url: str, holdout: Path) -> None:
    hourly = ("--schedule", "0 * * * *")

    assert "no cron expression" in run(store, url, holdout, "--schedule", "soon", code=2)
    assert "'0 0 31 2 *' is a time that never comes" in run(store, url, holdout, "--schedule", "0 0 31 2 *", code=2)
    assert "has no version v77" in run(store, url, holdout, *hourly, version="v77", code=2)
    assert "cannot be read" in run(store, url, tmp_path / "nowhere.csv", *hourly, code=3)
    assert "lacks the columns" in run(store, url, write_csv(tmp_path / "other.csv", [[1]], ("size",)), *hourly, code=3)
    assert "unable to open database file" in run(store, f"sqlite:///{tmp_path}/no/p.db", holdout, *hourly, code=3)


def test_a_schedule_runs_again_and_again_until_a_signal(store: Path, url: str, holdout: Path) -> None:
    every_second = command(store, url, holdout, "--schedule", "* * * * * *")
    process = subprocess.Popen(
        every_second, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    )
    try:
        with closing(process.stdout) as out:  # type: ignore[type-var]  # it is a pipe
            said = [next(out), next(out)]  # type: ignore[arg-type]  # as above
            process.terminate()
            process.wait(DEADLINE)
        told = process.stderr.read() if process.stderr else ""
    finally:
        process.kill()
        process.wait()
        if process.stderr:
            process.stderr.close()

    assert process.returncode == 0
    assert "of them before" in said[1]
    assert told.startswith("next run at ")


def test_the_next_time_is_the_first_after_now_in_utc() -> None:
    now = datetime(2026, 11, 27, 10, 59, 59, tzinfo=UTC)

    assert Schedule("0 * * * *").next(now) == datetime(2026, 11, 27, 11, tzinfo=UTC)
    assert Schedule("0 * * * *").next(datetime(2026, 11, 27, 11, tzinfo=UTC)) == datetime(2026, 11, 27, 12, tzinfo=UTC)


def test_a_schedule_that_was_told_to_stop_promises_no_next_run() -> None:
    stop, said = threading.Event(), io.StringIO()
    stop.set()

    assert not Schedule("0 * * * *").wait(stop, said)
    assert said.getvalue() == ""


def test_pages_hold_every_prediction_once_and_filters_choose(store: Path, url: str, holdout: Path, client: ClientFactory) -> None:
    run(store, url, holdout)
    run(store, url, holdout, version="v1")
    one = client("v2", database=url)

    def everything(**filters: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        cursor = None
        while True:
            answer = one.get("/predictions", params={"limit": 60, **filters, **({"cursor": cursor} if cursor else {})}).json()
            found += answer["predictions"]
            if (cursor := answer["next_cursor"]) is None:
                return found

    both = everything()
    assert len({(one["version"], one["row"]) for one in both}) == len(both) == 2 * len(HOLDOUT.values)
    assert {one["version"] for one in everything(version="v1")} == {"v1"}
    assert len(everything(version="v1")) == len(HOLDOUT.values)
    benign = everything(version="v2", prediction="benign")
    assert 0 < len(benign) < len(HOLDOUT.values)
    assert {one["prediction"] for one in benign} == {"benign"}
    middle = both[len(HOLDOUT.values)]["predicted_at"]
    assert len(everything(since=middle)) + len(everything(until=middle)) == len(both)
    assert everything(version="' OR 1=1 --") == []
    for wrong in ({"limit": 0}, {"limit": 1001}, {"cursor": 0}, {"since": "yesterday"}, {"since": "0001-01-01T00:00:00+14:00"}):
        assert one.get("/predictions", params=wrong).status_code == 422


def test_metrics_tell_rows_and_the_last_success_and_nothing_if_the_database_cannot_be_asked(
    store: Path, url: str, holdout: Path, client: ClientFactory, tmp_path: Path
) -> None:
    began = time.time()
    run(store, url, holdout, version="v2-broken")
    text_of = client("v2", database=url).get("/metrics").text
    with_database = {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in text_of.splitlines() if not line.startswith("#")}

    predicted, refused = (
        with_database[f'model_batch_rows_total{{result="{kind}",version="v2-broken"}}'] for kind in ("predicted", "refused")
    )
    assert predicted + refused == len(HOLDOUT.values)
    assert refused > 0
    assert with_database['model_batch_last_success_timestamp_seconds{version="v2-broken"}'] >= began
    assert with_database['model_batch_duration_seconds{version="v2-broken"}'] > 0
    assert with_database["model_batch_database_up"] == 1

    without = client("v2", database=f"sqlite:///{tmp_path}/none.db")
    assert "model_batch_database_up 0.0" in without.get("/metrics").text
    assert "model_batch_rows_total{" not in without.get("/metrics").text
    assert value(without, "model_api_model_info") == 1
    answer = without.get("/predictions")
    assert answer.status_code == 503
    assert "labctl predict batch" in answer.json()["detail"]
    assert without.get("/readyz").status_code == 200
    assert not (tmp_path / "none.db").exists(), "reading makes no database"


def test_migrations_make_the_tables_that_the_program_uses(url: str) -> None:
    from alembic.autogenerate import compare_metadata  # noqa: PLC0415  for this test alone
    from alembic.migration import MigrationContext  # noqa: PLC0415  as above

    from app.predictions.tables import METADATA  # noqa: PLC0415  as above

    engine = open_database(url, writes=True)
    try:
        migrate(engine)
        migrate(engine)
        assert page(engine, limit=1).predictions == []
        with asking(engine) as connection:
            different = [one for one in compare_metadata(MigrationContext.configure(connection), METADATA) if one[0] != "remove_index"]
    finally:
        engine.dispose()
    assert different == []
