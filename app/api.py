"""The model API: its routes, and the layers around them."""

import logging
from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.concurrency import run_in_threadpool
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from app.documentation import add_documentation
from app.errors import AppError, DatabaseFailed, FaultInjected, PredictionFailed
from app.faults import Faults
from app.feedback import take_feedback
from app.guard import Guarded
from app.inference import HEADER_LENGTH, inference_router, protocol_errors
from app.intake import Intake
from app.metrics import PREDICT, Counted, Metrics, is_mirrored
from app.model import Model
from app.payloads import Invalid, Prediction, Problem, Served, Status
from app.prediction_log import PredictionLog
from app.predictions.routes import database_failed, predictions_router
from app.predictions.scraping import BatchMetrics
from app.predictions.shown import Shown
from app.recording import Recorded
from app.signature import REQUEST_ID_HEADER, VERSION_HEADER, Drain, Signed

logger = logging.getLogger(__name__)

ALLOWED_HEADERS = ("content-type", "authorization", "x-api-key", REQUEST_ID_HEADER, HEADER_LENGTH)
SEEN_HEADERS = (VERSION_HEADER, REQUEST_ID_HEADER, HEADER_LENGTH)

PREDICT_PROBLEMS: dict[int | str, dict[str, Any]] = {
    413: {"model": Problem, "description": "The body is too long"},
    415: {"model": Problem, "description": "The body is not said to be JSON"},
    422: {"model": Invalid, "description": "A feature is missing, not a number, not finite or out of range"},
    500: {"model": Problem, "description": "The model failed on this case"},
}


def create_app(
    model: Model,
    *,
    slot: str,
    drain: Drain,
    faults: Faults,
    max_body_bytes: int,
    log: PredictionLog | None = None,
    api_key: str = "",
    origins: Sequence[str] = (),
    shown: Shown | None = None,
) -> ASGIApp:
    """The API that serves one model.

    Args:
        model: the model.
        slot: the slot that this replica belongs to.
        drain: whether it has been told to stop.
        faults: what is to go wrong.
        max_body_bytes: longest request body that is read.
        log: where predictions and feedback are written down; None for nowhere.
        api_key: what clients must send; empty asks for none.
        origins: of pages whose scripts may call it.
        shown: the database of predictions to show, if any.

    The layers are around the whole application and not inside, where FastAPI puts middleware: an answer to an error
    that nobody foresaw is signed and counted as well.
    """
    card = model.card
    metrics = Metrics(card, slot)
    intake = Intake(card, max_body_bytes)
    api = FastAPI(
        title=f"{card.name} {card.version}",
        version=card.version,
        description=card.idea,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
    )
    api.add_exception_handler(AppError, _failure)
    api.add_exception_handler(Exception, _failure)
    for error, handler in protocol_errors().items():
        api.add_exception_handler(error, handler)
    add_documentation(api)
    api.include_router(inference_router(model, metrics=metrics, drain=drain, faults=faults, max_body_bytes=max_body_bytes))

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

    # the server opens its port once the model is loaded, checked and warmed, so only draining (or a fault) can make it unready
    @api.get("/readyz", summary="Ready for traffic", responses={503: {"model": Status, "description": "Draining"}})
    async def readyz(response: Response) -> Status:
        if drain.begun or faults.unready:
            response.status_code = 503
            return Status(status="draining" if drain.begun else "unready by a fault that was asked for")
        if shown:
            shown.prepare()
        return Status(status="ready")

    @api.get("/version", summary="Who answers")
    async def version() -> Served:
        return Served(model=card.name, version=card.version, slot=slot)

    @api.get("/metrics", summary="For Prometheus", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def exposition() -> Response:
        # in a thread where it asks a database, which may let it wait
        text = await run_in_threadpool(metrics.exposition) if shown else metrics.exposition()
        return Response(text, headers={"content-type": CONTENT_TYPE_PLAIN_0_0_4})

    if shown:
        metrics.registry.register(BatchMetrics(shown.batches))
        api.include_router(predictions_router(shown))
        api.add_exception_handler(DatabaseFailed, database_failed)  # type: ignore[arg-type]  # it is asked for this error only
    guarded: ASGIApp = api
    if api_key:
        guarded = Guarded(guarded, api_key)
        _describe_key(api)
    if origins:
        # outside of the guard, as browsers ask beforehand and without the key
        guarded = CORSMiddleware(
            guarded, origins, allow_methods=("GET", "POST"), allow_headers=ALLOWED_HEADERS, expose_headers=SEEN_HEADERS
        )
    counted = Counted(guarded, metrics)
    return Signed(Recorded(counted, log, metrics, version=card.version, slot=slot) if log else counted, card.version, drain)


def _describe_key(api: FastAPI) -> None:
    document = api.openapi()
    document.setdefault("components", {})["securitySchemes"] = {"key": {"type": "apiKey", "in": "header", "name": "x-api-key"}}
    document["security"] = [{"key": []}]


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
    return JSONResponse({"error" if request.url.path.startswith("/v2/") else "detail": detail}, status_code=500)
