"""Where a prediction log is read from: a SQLite file or PostgreSQL, for reading only.

A log, or a table of it, that does not exist yet has no rows: replicas make it when they have something to write.
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from strategies.errors import WitnessLost

if TYPE_CHECKING:
    import psycopg

TIMEOUT_SECONDS = 3


class Source(Protocol):
    """A database with the tables of a prediction log."""

    def rows(self, table: str, columns: Sequence[str], after: int, since: float) -> Sequence[tuple[Any, ...]]:
        """The id and `columns` of what has an id above `after` and an `at` of at least `since`, in the order of the ids.

        Raises:
            WitnessLost: the database cannot be asked.
        """

    def close(self) -> None:
        """Let go of it; the next question would open it again."""


def source(url: str) -> Source:
    """The database of `url`, "sqlite:///FILE" (a fourth slash begins an absolute path) or "postgresql://...".

    Raises:
        ValueError: the URL is of neither form.
    """
    scheme, separator, rest = url.partition("://")
    if separator and scheme == "sqlite" and rest.startswith("/"):
        return SqliteSource(Path(rest[1:]))
    if separator and scheme in {"postgresql", "postgresql+psycopg", "postgres"}:
        return PostgresSource(f"postgresql://{rest}")
    # the URL itself may hold a password, which must not get into a message
    raise ValueError("a prediction log is at sqlite:///FILE or postgresql://USER@HOST/DATABASE")


class SqliteSource:
    """A SQLite file that others write meanwhile."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def rows(self, table: str, columns: Sequence[str], after: int, since: float) -> Sequence[tuple[Any, ...]]:
        """As `Source.rows`."""
        if self._connection is None and not self._path.exists():
            return []
        try:
            if self._connection is None:
                uri = f"file:{quote(str(self._path))}?mode=ro"
                self._connection = sqlite3.connect(uri, uri=True, timeout=TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False)
            if not self._connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchall():
                return []
            return self._connection.execute(_select(table, columns, "?"), (after, since)).fetchall()
        except sqlite3.Error as error:
            raise WitnessLost(f"the prediction log {self._path} cannot be read: {error}") from error

    def close(self) -> None:
        """As `Source.close`."""
        connection, self._connection = self._connection, None
        if connection:
            connection.close()


class PostgresSource:
    """A PostgreSQL database. After a failure the next question connects anew."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.Connection | None = None

    def rows(self, table: str, columns: Sequence[str], after: int, since: float) -> Sequence[tuple[Any, ...]]:
        """As `Source.rows`."""
        import psycopg  # noqa: PLC0415  only who keeps the log there needs it

        try:
            if self._connection is None:
                options = f"-c default_transaction_read_only=on -c statement_timeout={TIMEOUT_SECONDS}s"
                # of a database without an encoding of its own, text would come as bytes
                self._connection = psycopg.connect(
                    self._url, connect_timeout=TIMEOUT_SECONDS, autocommit=True, options=options, client_encoding="utf8"
                )
            if self._connection.execute("SELECT to_regclass(%s)", (table,)).fetchone() == (None,):
                return []
            return self._connection.execute(_select(table, columns, "%s").encode(), (after, since)).fetchall()
        except psycopg.Error as error:
            self.close()
            said = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise WitnessLost(f"the prediction log in PostgreSQL cannot be read: {said}") from error

    def close(self) -> None:
        """As `Source.close`."""
        connection, self._connection = self._connection, None
        if connection:
            connection.close()


def _select(table: str, columns: Sequence[str], placeholder: str) -> str:
    chosen = ", ".join(("id", *columns))
    return f"SELECT {chosen} FROM {table} WHERE id > {placeholder} AND at >= {placeholder} ORDER BY id"  # noqa: S608  our own names
