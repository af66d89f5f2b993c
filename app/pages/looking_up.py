"""Predictions that were made beforehand: found in the database by the case's place in the file of cases."""

import time
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, select

from app.errors import DatabaseFailed
from app.payloads import BatchPrediction
from app.predictions.database import asking
from app.predictions.observations import digest
from app.predictions.tables import PREDICTIONS


@dataclass(frozen=True)
class Found:
    """A prediction from the database.

    Attributes:
        prediction: what was written, and when.
        seconds: what it took to find.
    """

    prediction: BatchPrediction
    seconds: float


def newest(engine: Engine, observations: Path, row: int) -> Found:
    """The newest prediction of a row of a file.

    Raises:
        DatabaseFailed: the database cannot be asked, or no batch has predicted this file.
        InputRefused: the file cannot be read.
    """
    began = time.perf_counter()
    columns = PREDICTIONS.c
    wanted = select(PREDICTIONS).where(columns.input_digest == digest(observations), columns.row == row)
    with asking(engine) as connection:
        found = connection.execute(wanted.order_by(columns.id.desc()).limit(1)).mappings().first()
    if found is None:
        raise DatabaseFailed(
            "no batch has predicted this case: `labctl predict batch models/holdout.csv --version v1` does, where your models are"
        )
    return Found(BatchPrediction.model_validate(dict(found)), time.perf_counter() - began)
