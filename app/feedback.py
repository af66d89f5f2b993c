"""`POST /feedback`: what turned out to be true of a request, told to any replica whoever had predicted.

The truth is written to the prediction log beside the predictions; who compares versions joins them by the request id.
"""

import time
from typing import Any, Literal

from fastapi import FastAPI, Request
from pydantic import BaseModel, ConfigDict, Field, create_model
from starlette.exceptions import HTTPException

from app.card import ModelCard
from app.intake import read_json, validated
from app.metrics import Metrics, is_mirrored
from app.payloads import Invalid, Problem, Status
from app.prediction_log import PredictionLog, Truth
from app.signature import SANE_REQUEST_ID

FEEDBACK = "/feedback"
FEEDBACK_PROBLEMS: dict[int | str, dict[str, Any]] = {
    413: {"model": Problem, "description": "The body is too long"},
    415: {"model": Problem, "description": "The body is not said to be JSON"},
    422: {"model": Invalid, "description": "The request id or the truth is missing, or cannot be one"},
    503: {"model": Problem, "description": "No prediction log is kept, or it cannot take more"},
}


def take_feedback(api: FastAPI, card: ModelCard, log: PredictionLog | None, metrics: Metrics, max_body_bytes: int) -> None:
    """Add the route to `api`; without a `log` it answers 503."""
    body = _body(card)

    @api.post(
        FEEDBACK,
        status_code=202,
        summary="Tell what was true of a request",
        responses=FEEDBACK_PROBLEMS,
        openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": body.model_json_schema()}}}},
    )
    async def feedback(request: Request) -> Status:
        if is_mirrored(request.scope):
            # the original has told it already; a second time would count twice
            return Status(status="ignored, as it is the copy of another request")
        if log is None:
            raise HTTPException(503, "no prediction log is kept here, so feedback would be lost: set MODEL_API_PREDICTION_LOG")
        told = validated(body, await read_json(request, max_body_bytes)).model_dump()
        if not log.append(Truth(told["request_id"], time.time(), told["truth"])):
            raise HTTPException(503, "the prediction log cannot take more at the moment: send this again later")
        metrics.feedback.inc()
        return Status(status="accepted")


def _body(card: ModelCard) -> type[BaseModel]:
    """A truth is one of the classes: anything else would count as a wrong answer of every version."""
    fields: dict[str, Any] = {
        "request_id": (str, Field(pattern=f"^{SANE_REQUEST_ID.pattern}$", description="the x-request-id of the answer")),
        "truth": (Literal[card.classes], Field(description="the class that was right")),
    }
    return create_model("Feedback", __config__=ConfigDict(strict=True), **fields)
