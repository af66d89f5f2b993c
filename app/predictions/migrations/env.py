"""Alembic's entry: migrates over the connection that `app.predictions.database` gives it."""

from alembic import context

from app.predictions.tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
with context.begin_transaction():
    context.run_migrations()
