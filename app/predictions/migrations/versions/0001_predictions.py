"""Predictions, and the batch runs that wrote them."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "predictions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("input_digest", sa.String(64), nullable=False),
        sa.Column("row", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.String(63), nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("prediction", sa.String(200)),
        sa.Column("probability", sa.Float()),
        sa.Column("refusal", sa.Text()),
        sa.Column("predicted_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("input_digest", "row", "version", name="uq_predictions_key"),
    )
    op.create_index("ix_predictions_version", "predictions", ["version", "prediction", "id"])
    op.create_index("ix_predictions_predicted_at", "predictions", ["predicted_at"])
    op.create_table(
        "batch_runs",
        sa.Column("input_digest", sa.String(64), primary_key=True),
        sa.Column("version", sa.String(63), primary_key=True),
        sa.Column("model_sha256", sa.String(64), nullable=False),
        sa.Column("input_name", sa.Text(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("refused", sa.BigInteger(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("succeeded_at", sa.DateTime(timezone=True)),
    )


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("batch_runs")
    op.drop_table("predictions")
