"""The model API: its routes, and the layers around them."""

import logging
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp

from app.errors import AppError, FaultInjected, PredictionFailed
from app.faults import Faults
from app.feedback import take_feedback
from app.intake import Intake
from app.metrics import PREDICT, Counted, Metrics, is_mirrored
from app.model import Model
from app.payloads import Invalid, Prediction, Problem, Served, Status
from app.prediction_log import PredictionLog
from app.recording import Recorded
from app.signature import Drain, Signed

logger = logging.getLogger(__name__)

PREDICT_PROBLEMS: dict[int | str, dict[str, Any]] = {
    413: {"model": Problem, "description": "The body is too long"},
    415: {"model": Problem, "description": "The body is not said to be JSON"},
    422: {"model": Invalid, "description": "A feature is missing, not a number, not finite or out of range"},
    500: {"model": Problem, "description": "The model failed on this case"},
}


def create_app(model: Model, *, slot: str, drain: Drain, faults: Faults, max_body_bytes: int, log: PredictionLog | None = None) -> ASGIApp:
    """The API that serves one model.

    The layers are around the whole application and not inside, where FastAPI puts middleware: an answer to an error
    that nobody foresaw is signed and counted as well.
    """
    card = model.card
    metrics = Metrics(card, slot)
    intake = Intake(card, max_body_bytes)
    api = FastAPI(title=f"{card.name} {card.version}", version=card.version, description=card.idea, redirect_slashes=False)
    api.add_exception_handler(AppError, _failure)
    api.add_exception_handler(Exception, _failure)

    @api.post(PREDICT, summary="Predict the class of one case", responses=PREDICT_PROBLEMS, openapi_extra=intake.openapi)
    async def predict(request: Request) -> Prediction:
        await faults.strike()
        features = await intake.read(request)
        # in a thread, so that a model that waits or computes does not keep others and the probes waiting
        probabilities = await run_in_threadpool(model.predict, features)
        likeliest = max(probabilities, key=probabilities.__getitem__)
        request.state.predicted = likeliest, probabilities[likeliest]
        metrics.predicted(likeliest, probabilities[likeliest], mirrored=is_mirrored(request.scope))
        return Prediction(
            prediction=likeliest,
            probability=probabilities[likeliest],
            probabilities=probabilities,
            model=card.name,
            version=card.version,
            request_id=request.state.request_id,
        )

    take_feedback(api, card, log, metrics, max_body_bytes)

    @api.get("/healthz", summary="Alive")
    async def healthz() -> Status:
        return Status(status="alive")

    # the server opens its port once the model is loaded, checked and warmed, so only draining can make it unready
    @api.get("/readyz", summary="Ready for traffic", responses={503: {"model": Status, "description": "Draining"}})
    async def readyz(response: Response) -> Status:
        if drain.begun:
            response.status_code = 503
            return Status(status="draining")
        return Status(status="ready")

    @api.get("/version", summary="Who answers")
    async def version() -> Served:
        return Served(model=card.name, version=card.version, slot=slot)

    @api.get("/metrics", summary="For Prometheus", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def exposition() -> Response:
        return Response(metrics.exposition(), headers={"content-type": CONTENT_TYPE_PLAIN_0_0_4})

    counted = Counted(api, metrics)
    return Signed(Recorded(counted, log, metrics, version=card.version, slot=slot) if log else counted, card.version, drain)


async def _failure(request: Request, exc: Exception) -> Response:
    request_id = request.state.request_id
    match exc:
        case FaultInjected():
            detail = str(exc)
        case PredictionFailed():
            logger.error("request %s: %s", request_id, exc)
            detail = f"the model failed on this case: the log of request {request_id} says why"
        case _:
            logger.error("request %s: %r", request_id, exc)
            detail = f"something unforeseen went wrong: the log of request {request_id} says what"
    return JSONResponse({"detail": detail}, status_code=500)
