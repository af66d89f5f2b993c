"""Opening a database of predictions: SQLite in a file, or PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import NullPool, Pool, QueuePool

from app.errors import BadConfiguration, DatabaseFailed

CONNECT_SECONDS = 5
ANSWER_SECONDS = 10
"""How long PostgreSQL may take for what a reader asks."""
LOCK_SECONDS = 60
"""How long a writer waits for another one."""
WRITES = "lab_writes"
"""The execution option that tells who writes from who reads."""
FILE = "lab_file"
"""Of a connection's record: which file it has opened."""
AGAIN = "and repeat the batch: it goes on where it was"
FILLED = "and that `labctl predict batch` has filled it"


def open_database(url: str, *, writes: bool) -> Engine:
    """An engine; it connects when it is first used.

    Raises:
        BadConfiguration: the URL is none of a database that is known here.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as exc:
        # the URL is not repeated: it may hold a password
        raise BadConfiguration("the database is no URL: give sqlite:///predictions.db or postgresql://user@host/database") from exc
    match parsed.get_backend_name():
        case "sqlite" if parsed.database:
            if not writes:
                # else a reader would make an empty database where there is none
                parsed = parsed.set(database=f"file:{quote(parsed.database)}", query={"mode": "rw", "uri": "true"})
            engine = create_engine(
                parsed, connect_args={"timeout": LOCK_SECONDS}, poolclass=_pool(writes=writes), execution_options={WRITES: writes}
            )
            _prepare_sqlite(engine, writes=writes)
            return engine
        case "postgresql":
            engine = create_engine(
                parsed.set(drivername="postgresql+psycopg"),
                # a database that was made without an encoding would answer in bytes
                connect_args={"connect_timeout": CONNECT_SECONDS, "client_encoding": "UTF8"},
                poolclass=_pool(writes=writes),
                pool_pre_ping=writes,
                execution_options={WRITES: writes},
            )
            if not writes:
                _limit_answers(engine)
            return engine
        case other:
            raise BadConfiguration(
                f"a database of the kind {other} is not supported: give sqlite:///FILE or postgresql://user@host/database"
            )


def _pool(*, writes: bool) -> type[Pool]:
    """A reader keeps nothing open: a file that was moved away and made anew is read at once, and no server that hangs is waited for.

    Only a connection that is being made can be given up after a time; one that exists would wait as long as the server hangs.
    """
    return QueuePool if writes else NullPool


def _limit_answers(engine: Engine) -> None:
    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        # not among the connection's options, which a pooler in between may refuse
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = '{ANSWER_SECONDS}s'")


def _prepare_sqlite(engine: Engine, *, writes: bool) -> None:
    @event.listens_for(engine, "connect")
    def connected(connection: Any, record: Any) -> None:
        # sqlite3 would begin and commit on its own terms; the hook below begins, SQLAlchemy ends
        connection.isolation_level = None
        if writes:
            # readers go on while a batch is written
            connection.execute("PRAGMA journal_mode = WAL")
            record.info[FILE] = _file(engine.url)

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        # SQLite would go on writing into a file that was moved away or deleted, where nobody finds it any more
        if writes and connection.info[FILE] != _file(engine.url):
            raise DatabaseFailed(f"the database {_shown(engine.url)} was moved away or exchanged during use: put it back, {AGAIN}")
        # a writer takes its lock at the beginning: one that began by reading could not wait for another writer any more
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _file(url: URL) -> tuple[int, int] | None:
    """Which file a SQLite URL leads to now; None if to none."""
    try:
        stat = Path(str(url.database)).stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino


@contextmanager
def asking(engine: Engine) -> Iterator[Connection]:
    """A transaction, whose failures are sentences.

    Raises:
        DatabaseFailed: the database is down, is no database of predictions, or failed.
    """
    try:
        with engine.begin() as connection:
            yield connection
    except SQLAlchemyError as exc:
        original = getattr(exc, "orig", None) or exc
        said = next(iter(str(original).strip().splitlines()), type(original).__name__)
        # who writes is `labctl predict batch` itself
        do = AGAIN if engine.get_execution_options().get(WRITES) else FILLED
        raise DatabaseFailed(f"the database {_shown(engine.url)} failed ({said}): check that it is up, {do}") from exc


def _shown(url: URL) -> str:
    """A database as a person has named it, without its password."""
    if url.get_backend_name() == "sqlite" and url.database:
        return f"sqlite:///{unquote(url.database.removeprefix('file:'))}"
    # without our driver's name, and of what follows the ? no more than these: a password may be told there as well
    named = {name: value for name, value in url.query.items() if name in {"host", "port", "user"}}
    return unquote(url.set(drivername=url.get_backend_name(), query=named).render_as_string(hide_password=True))
