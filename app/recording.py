"""The ASGI layer that hands every answered request for a prediction to the prediction log."""

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.metrics import PREDICT, Metrics, is_mirrored
from app.prediction_log import Predicted, PredictionLog

MODEL_ANSWERED = frozenset({200, 500})
"""Other statuses are about the request, and the same whatever the model."""


class Recorded:
    """Records predictions and failures of the model; a record that the log cannot take is counted as dropped.

    Around the whole application, so that a failure that nobody foresaw is recorded as well.
    """

    def __init__(self, app: ASGIApp, log: PredictionLog, metrics: Metrics, *, version: str, slot: str) -> None:
        self._app = app
        self._log = log
        self._metrics = metrics
        self._version = version
        self._slot = slot

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and record its answer."""
        if scope["type"] != "http" or scope["path"] != PREDICT:
            await self._app(scope, receive, send)
            return
        at, started = time.time(), time.perf_counter()

        async def record_and_send(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in MODEL_ANSWERED:
                self._record(scope, at, time.perf_counter() - started, message["status"])
            await send(message)

        await self._app(scope, receive, record_and_send)

    def _record(self, scope: Scope, at: float, seconds: float, status: int) -> None:
        prediction, probability = scope["state"].get("predicted", (None, None))
        taken = self._log.append(
            Predicted(
                request_id=scope["state"]["request_id"],
                at=at,
                slot=self._slot,
                version=self._version,
                mirrored=is_mirrored(scope),
                prediction=prediction,
                probability=probability,
                latency=seconds,
                status=status,
            )
        )
        if not taken:
            self._metrics.log_dropped.inc()
