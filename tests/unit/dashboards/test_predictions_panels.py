"""The panels over the database of predictions: their SQL, asked of a real PostgreSQL as Grafana would, by who Grafana is."""

import json
import re
from pathlib import Path

import psycopg
import pytest

from app.predictions.database import open_database
from app.predictions.migrating import migrate
from dashboards import generated
from tests import postgresql

READER = Path(__file__).parents[3] / "charts" / "lab" / "reader.sql"
ROWS = (
    ("d1", 0, "v1", "benign", 0.9, None, "2026-01-01 10:01:00+00"),
    ("d1", 1, "v1", "benign", 0.7, None, "2026-01-01 10:02:00+00"),
    ("d1", 2, "v1", None, None, "area is missing", "2026-01-01 10:07:00+00"),
    ("d1", 0, "v2", "malignant", 1.0, None, "2026-01-02 00:00:00+00"),
)
WRITE = (
    b"INSERT INTO predictions (input_digest, row, version, prediction, probability, refusal, predicted_at, model) "
    b"VALUES (%s, %s, %s, %s, %s, %s, %s, 'm')"
)


def filled(sql: str) -> str:
    """The query with Grafana's macros put in, for the first of January 2026."""
    sql = re.sub(r"\$__timeFilter\((\w+)\)", r"\1 BETWEEN '2026-01-01T00:00:00Z' AND '2026-01-01T23:59:59Z'", sql)
    sql = re.sub(r"\$__timeGroupAlias\((\w+), '5m'\)", r'floor(extract(epoch from \1)/300)*300 AS "time"', sql)
    assert "$" not in sql
    return sql


@pytest.fixture(scope="module")
def reader(postgresql_server: postgresql.Server) -> str:
    """Where `reader` finds a database with four predictions, one of them of another day."""
    url = postgresql_server.new_database()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(READER.read_text().replace("%s", "secret").encode())
        engine = open_database(url, writes=True)
        migrate(engine)
        engine.dispose()
        connection.cursor().executemany(WRITE, ROWS)
    return url.replace("user=postgres", "user=reader")


def test_each_panel_shows_what_was_written_in_the_time_shown(reader: str) -> None:
    panels = json.loads(generated.text("serving"))["panels"]
    asked = {panel["title"]: filled(panel["targets"][0]["rawSql"]) for panel in panels if "rawSql" in panel["targets"][0]}

    with psycopg.connect(reader) as connection:
        shown = {title: connection.execute(sql.encode()).fetchall() for title, sql in asked.items()}

    assert [(metric, count) for _, metric, count in shown["Predictions written"]] == [("v1", 2), ("v1", 1)]
    assert [(*row[:3], None if row[3] is None else float(row[3])) for row in shown["Predicted classes"]] == [
        ("v1", "benign", 2, 0.8),
        ("v1", "refused", 1, None),
    ]
    assert [row[2:4] for row in shown["Newest predictions"]] == [(2, "area is missing"), (1, "benign"), (0, "benign")]


@pytest.mark.parametrize(
    "harm", ["DELETE FROM predictions", "DROP TABLE predictions", "CREATE TABLE more (a int)", "UPDATE predictions SET version = 'v9'"]
)
def test_who_grafana_is_can_change_nothing(reader: str, harm: str) -> None:
    with psycopg.connect(reader) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(harm.encode())
