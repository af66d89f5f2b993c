"""The tables. A prediction's key is the digest of its input, its row in it, and the version that predicted."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, Column, DateTime, Dialect, Float, Integer, MetaData, String, Table, Text, UniqueConstraint
from sqlalchemy.types import TypeDecorator


class Moment(TypeDecorator[datetime]):
    """A time in UTC. SQLite keeps no zones: there it is written without, and read back with."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002  SQLAlchemy's signature
        """To the database."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002  SQLAlchemy's signature
        """From the database."""
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


METADATA = MetaData()

PREDICTIONS = Table(
    "predictions",
    METADATA,
    # in the order of writing: what pages are cut by
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("input_digest", String(64), nullable=False),
    Column("row", BigInteger, nullable=False),
    Column("version", String(63), nullable=False),
    Column("model", String(200), nullable=False),
    Column("prediction", String(200)),
    Column("probability", Float),
    Column("refusal", Text),
    Column("predicted_at", Moment, nullable=False),
    UniqueConstraint("input_digest", "row", "version", name="uq_predictions_key"),
)

RUNS = Table(
    "batch_runs",
    METADATA,
    Column("input_digest", String(64), primary_key=True),
    Column("version", String(63), primary_key=True),
    Column("model_sha256", String(64), nullable=False),
    Column("input_name", Text, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("refused", BigInteger, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("succeeded_at", Moment),
)
