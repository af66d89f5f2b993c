"""Writing a batch run's predictions, each exactly once.

A chunk and the run's count of rows are one transaction, and the count is moved on only from where the chunk begins. So a run that
was killed goes on where it was, a repeated one finds nothing to do, and of two at once each chunk is written by one.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, insert, select, update

from app.card import ModelCard
from app.errors import DatabaseFailed
from app.predictions.database import asking
from app.predictions.tables import PREDICTIONS, RUNS


class Run:
    """One input predicted by one version.

    Attributes:
        done: rows that are in the database.
    """

    def __init__(self, engine: Engine, card: ModelCard, digest: str, name: str) -> None:
        self.done = 0
        self._engine = engine
        self._card = card
        self._digest = digest
        self._name = name
        self._key = (RUNS.c.input_digest == digest) & (RUNS.c.version == card.version)

    def begin(self) -> None:
        """Find where an earlier run has come to, or begin a new one.

        Raises:
            DatabaseFailed: the database failed, or has predictions of this input by another model of the same version.
        """
        from sqlalchemy.dialects import postgresql, sqlite  # noqa: PLC0415  one of them, by the database

        dialect = sqlite if self._engine.dialect.name == "sqlite" else postgresql
        values = {
            "input_digest": self._digest,
            "version": self._card.version,
            "model_sha256": self._card.sha256,
            "input_name": self._name,
            "rows": 0,
            "refused": 0,
            "seconds": 0.0,
            "started_at": datetime.now(UTC),
        }
        with asking(self._engine) as connection:
            connection.execute(dialect.insert(RUNS).values(values).on_conflict_do_nothing())
            self.done, sha256 = connection.execute(select(RUNS.c.rows, RUNS.c.model_sha256).where(self._key)).one()
        if sha256 != self._card.sha256:
            raise DatabaseFailed(
                f"the database has predictions of this input by another model that was called {self._card.version} "
                f"(sha256 {sha256[:12]}…): publish this one under another name"
            )

    def write(self, first: int, predictions: list[dict[str, Any]], seconds: float) -> bool:
        """Write the rows from `first` on; False if another run was quicker, whose count is taken over.

        Args:
            first: the row of the first of them; must be `done`.
            predictions: per row its prediction and probability, or its refusal.
            seconds: what it took to make them.

        Raises:
            DatabaseFailed: the database failed; nothing of the chunk is in it then.
        """
        now = datetime.now(UTC)
        refused = sum(one["refusal"] is not None for one in predictions)
        common = {"input_digest": self._digest, "version": self._card.version, "model": self._card.name, "predicted_at": now}
        rows = [{**common, "row": first + offset, **one} for offset, one in enumerate(predictions)]
        with asking(self._engine) as connection:
            moved = connection.execute(
                update(RUNS)
                .where(self._key, RUNS.c.rows == first)
                .values(rows=first + len(rows), refused=RUNS.c.refused + refused, seconds=RUNS.c.seconds + seconds)
            )
            if moved.rowcount == 0:
                self.done = connection.execute(select(RUNS.c.rows).where(self._key)).scalar_one()
                return False
            connection.execute(insert(PREDICTIONS), rows)
        self.done = first + len(rows)
        return True

    def end(self) -> tuple[int, int]:
        """All rows are there; how many, and how many of them are refused.

        Raises:
            DatabaseFailed: the database failed.
        """
        with asking(self._engine) as connection:
            connection.execute(update(RUNS).where(self._key).values(succeeded_at=datetime.now(UTC)))
            rows, refused = connection.execute(select(RUNS.c.rows, RUNS.c.refused).where(self._key)).one()
        return rows, refused
