"""The prediction log, read as it grows: what the replicas answered, copies included, and the truths that were told.

The model API writes it, with ids that grow in the order in which rows become visible; so each poll asks for larger ids than
the last one saw. What was written twice counts once. A log with holes would make a version look better or worse than it
was, so holes are an error.
"""

from collections.abc import Mapping
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self

from impact.log_sources import source
from strategies.errors import WitnessLost
from strategies.traffic import Slot


class Logged(NamedTuple):
    """One prediction, or the model's failure to make one.

    Attributes:
        at: epoch seconds at which the replica got the request.
        mirrored: it was a copy of a user's request.
        prediction: the likeliest class; empty if the model failed.
        probability: of that class, 0..1; None if the model failed.
        latency: seconds in the replica.
        status: 200 or 500.
    """

    request_id: str
    at: float
    slot: Slot
    version: str
    mirrored: bool
    prediction: str
    probability: float | None
    latency: float
    status: int


class News(NamedTuple):
    """What has been logged since the last poll: predictions, and truths by request id."""

    predictions: list[Logged]
    truths: dict[str, str]


class PredictionLog:
    """The log at `url` ("sqlite:///FILE" or "postgresql://..."), from `since` (epoch seconds) on. It need not exist yet.

    Raises:
        ValueError: the URL is of neither form.
    """

    def __init__(self, url: str, since: float) -> None:
        self._source = source(url)
        self._since = since
        self._read = {"prediction_log": 0, "feedback_log": 0}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database."""
        self._source.close()

    def poll(self) -> News:
        """The predictions and truths logged since the last poll.

        Raises:
            WitnessLost: the log cannot be read, or holds what no replica of the lab writes.
        """
        truths = self._rows("feedback_log", ("request_id", "truth"))
        predictions = self._rows("prediction_log", Logged._fields)
        return News([_logged(values) for values in predictions], dict(truths))

    def _rows(self, table: str, columns: tuple[str, ...]) -> list[Any]:
        rows = self._source.rows(table, columns, self._read[table], self._since)
        if rows:
            self._read[table] = rows[-1][0]
        return [values for _, *values in rows]


class Drops(Protocol):
    """Who knows what is missing in the log."""

    def dropped(self) -> Mapping[Slot, float]:
        """By slot, how many records the replicas could not log."""


def require_whole(dropped: Mapping[Slot, float]) -> None:
    """Nothing can be compared over a log that lacks some predictions: it is not known whether those were the bad ones.

    Args:
        dropped: by slot, how many the replicas could not log (model_api_prediction_log_dropped_total).

    Raises:
        WitnessLost: it is not whole.
    """
    if missing := ", ".join(f"{count:,.0f} of {slot}" for slot, count in dropped.items() if count):
        raise WitnessLost(
            f"the prediction log is not whole ({missing} dropped): see that its database can be written and keeps up, or use less load"
        )


def _logged(values: list[Any]) -> Logged:
    request_id, at, slot, version, mirrored, prediction, probability, latency, status = values
    try:
        return Logged(request_id, at, Slot(slot), version, bool(mirrored), prediction or "", probability, latency, status)
    except ValueError as error:
        raise WitnessLost(f"the prediction log has a request of {version} in a slot {slot!r}, which the lab does not have") from error
