"""Bringing a database's tables to this program's version. Apart from opening it, as Alembic costs a reader time and memory for nothing."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, text

from app.predictions.database import asking

MIGRATION_LOCK = 7406312
"""PostgreSQL's advisory lock that lets one process migrate at a time; any number that nobody else uses."""


def migrate(engine: Engine) -> None:
    """Bring the tables to this program's version; several may try at once.

    Raises:
        DatabaseFailed: the database cannot be reached or changed.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    with asking(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
