"""The two databases that a prediction log can be kept in: a SQLite file for replicas of one machine, PostgreSQL for a cluster.

Both have the same two tables, and ids that grow in the order in which records become visible, so that a reader who has seen
one id never finds a smaller one later. SQLite has one writer at a time anyhow; in PostgreSQL the writers take turns by an
advisory lock, since ids are given out there before the transaction ends.
"""

import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from string import Template

from app.errors import BadConfiguration, LogUnwritable
from app.prediction_log import Database, Predicted, Truth

TABLES = (
    Template("""CREATE TABLE IF NOT EXISTS prediction_log (
        id $id, request_id TEXT NOT NULL, at DOUBLE PRECISION NOT NULL, slot TEXT NOT NULL, version TEXT NOT NULL,
        mirrored BOOLEAN NOT NULL, prediction TEXT, probability DOUBLE PRECISION, latency DOUBLE PRECISION NOT NULL,
        status INTEGER NOT NULL)"""),
    Template(
        "CREATE TABLE IF NOT EXISTS feedback_log (id $id, request_id TEXT NOT NULL, at DOUBLE PRECISION NOT NULL, truth TEXT NOT NULL)"
    ),
)
COLUMNS = {"prediction_log": Predicted._fields, "feedback_log": Truth._fields}
BUSY_SECONDS = 5.0
CONNECT_SECONDS = 5
WRITERS_LOCK = 0x6C6F67
"""Any number that is the same for all writers."""


def database(url: str) -> Callable[[], Database]:
    """What opens the database of `url`, "sqlite:///FILE" (a fourth slash begins an absolute path) or "postgresql://...".

    Raises:
        BadConfiguration: the driver for PostgreSQL is not installed.
    """
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite":
        return partial(SqliteLog, rest.removeprefix("/"))
    try:
        import psycopg  # noqa: F401, PLC0415  only who keeps the log there needs it, and a missing one is told at the start
    except ImportError as exc:
        raise BadConfiguration("a prediction log in PostgreSQL needs its driver: pip install 'psycopg[binary]'") from exc
    return partial(PostgresLog, f"postgresql://{rest}")


class SqliteLog:
    """A SQLite file that several processes of a machine write and read at once (write-ahead log).

    Raises:
        LogUnwritable: the file cannot be opened or written.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        try:
            self._connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
        except sqlite3.Error as exc:
            raise self._unwritable(exc) from exc
        try:
            self._connection.execute("PRAGMA journal_mode = WAL")
            # the file survives a crash of the process; a crash of the machine may cost the last records, which nobody compares then
            self._connection.execute("PRAGMA synchronous = NORMAL")
            for table in TABLES:
                self._connection.execute(table.substitute(id="INTEGER PRIMARY KEY AUTOINCREMENT"))
        except sqlite3.Error as exc:
            self._connection.close()
            raise self._unwritable(exc) from exc

    def write(self, predicted: Sequence[Predicted], truths: Sequence[Truth]) -> None:
        """Append all or nothing."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(_insert("prediction_log", "?"), predicted)
            self._connection.executemany(_insert("feedback_log", "?"), truths)
            self._connection.execute("COMMIT")
        except sqlite3.Error as exc:
            raise self._unwritable(exc) from exc

    def close(self) -> None:
        """Close the file; an open transaction is undone."""
        self._connection.close()

    def _unwritable(self, exc: sqlite3.Error) -> LogUnwritable:
        return LogUnwritable(f"the prediction log {self._path} cannot be written ({exc}): make its folder writable, or free some space")


class PostgresLog:
    """A PostgreSQL database.

    Raises:
        LogUnwritable: it cannot be reached, or refuses. The sentence never holds the URL, which may name a password.
    """

    def __init__(self, url: str) -> None:
        import psycopg  # noqa: PLC0415  see above

        try:
            self._connection = psycopg.connect(url, connect_timeout=CONNECT_SECONDS)
        except psycopg.Error as exc:
            raise _unreachable(exc) from exc
        try:
            with self._connection.transaction():
                # two replicas that begin at once would both find no table, and one would fail
                self._take_turn()
                for table in TABLES:
                    self._connection.execute(table.substitute(id="BIGSERIAL PRIMARY KEY").encode())
        except psycopg.Error as exc:
            self._connection.close()
            raise _unreachable(exc) from exc

    def write(self, predicted: Sequence[Predicted], truths: Sequence[Truth]) -> None:
        """Append all or nothing."""
        import psycopg  # noqa: PLC0415  see above

        try:
            with self._connection.transaction(), self._connection.cursor() as cursor:
                self._take_turn()
                cursor.executemany(_insert("prediction_log", "%s").encode(), predicted)
                cursor.executemany(_insert("feedback_log", "%s").encode(), truths)
        except psycopg.Error as exc:
            raise _unreachable(exc) from exc

    def close(self) -> None:
        """Close the connection; an open transaction is undone."""
        self._connection.close()

    def _take_turn(self) -> None:
        self._connection.execute("SELECT pg_advisory_xact_lock(%s)", (WRITERS_LOCK,))


def _insert(table: str, placeholder: str) -> str:
    columns = COLUMNS[table]
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join([placeholder] * len(columns))})"  # noqa: S608  our own names


def _unreachable(exc: Exception) -> LogUnwritable:
    said = (str(exc).strip().splitlines() or [type(exc).__name__])[0]
    return LogUnwritable(f"the prediction log's PostgreSQL does not take it ({said}): see that it runs and lets this replica in")
