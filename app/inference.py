"""The Open Inference Protocol, version 2, over HTTP: a client that was written for KServe, Triton or MLServer can ask this model."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from app.card import ModelCard
from app.errors import InferenceRefused, ModelNotFound, PredictionFailed
from app.faults import Faults
from app.intake import read_bounded
from app.metrics import Metrics, is_mirrored
from app.model import Model
from app.payloads import Failure, ModelMetadata, ServerMetadata, Tensor
from app.signature import Drain
from app.tensors import INPUT, PREDICTION, PROBABILITIES, decode, encode

HEADER_LENGTH = "inference-header-content-length"
PROBLEMS: dict[int | str, dict[str, Any]] = {404: {"model": Failure, "description": "Another model or version than the one served"}}
INFER_PROBLEMS: dict[int | str, dict[str, Any]] = {
    **PROBLEMS,
    400: {"model": Failure, "description": "No request for this model"},
    413: {"model": Failure, "description": "The body is too long"},
    500: {"model": Failure, "description": "The model failed on a row"},
}


def inference_router(model: Model, *, metrics: Metrics, drain: Drain, faults: Faults, max_body_bytes: int) -> APIRouter:
    """The routes under /v2. All cases of a request are predicted together; if the model fails on one, the request fails."""
    card = model.card
    router = APIRouter(prefix="/v2", tags=["Open Inference Protocol"])
    metadata = ModelMetadata(
        name=card.name,
        versions=[card.version],
        platform="sklearn_joblib",
        inputs=[Tensor(name=INPUT, datatype="FP64", shape=[-1, len(card.features)])],
        outputs=[
            Tensor(name=PREDICTION, datatype="BYTES", shape=[-1]),
            Tensor(name=PROBABILITIES, datatype="FP64", shape=[-1, len(card.classes)]),
        ],
        parameters={"features": [feature.name for feature in card.features], "classes": list(card.classes)},
    )

    def served(request: Request) -> None:
        """Refuse a request for anything else than what is served; a path without a version is for any."""
        name, version = request.path_params["name"], request.path_params.get("version", card.version)
        if (name, version) != (card.name, card.version):
            raise ModelNotFound(f"here is no {name} {version}: this replica serves {card.name} {card.version}")

    def readiness() -> Response:
        ready = not (drain.begun or faults.unready)
        return JSONResponse({"ready": ready}, status_code=200 if ready else 503)

    @router.get("/health/live", summary="Alive")
    async def live() -> dict[str, bool]:
        return {"live": True}

    @router.get("/health/ready", summary="Ready for traffic", responses={503: {"description": "Draining"}})
    async def ready() -> Response:
        return readiness()

    @router.get("", summary="What this server can do")
    async def server() -> ServerMetadata:
        return ServerMetadata(name="deployment-strategy-lab", version=card.version, extensions=["binary_tensor_data"])

    async def describe() -> ModelMetadata:
        return metadata

    async def model_ready() -> Response:
        return readiness()

    async def infer(request: Request) -> Response:
        await faults.strike()
        try:
            body = await read_bounded(request, max_body_bytes, "send fewer rows per request")
        except HTTPException as exc:
            return JSONResponse({"error": exc.detail}, status_code=exc.status_code)
        inference, rows = decode(body, request.headers.get(HEADER_LENGTH), card)
        probabilities, refused = await run_in_threadpool(model.predict_batch, rows)
        if refused:
            row, reason = min(refused.items())
            raise PredictionFailed(f"row {row}: {reason}")
        likeliest = probabilities.argmax(axis=1)
        for index in set(likeliest.tolist()):
            metrics.predicted(card.classes[index], *probabilities[likeliest == index, index].tolist(), mirrored=is_mirrored(request.scope))
        answer, header_length = encode(inference, card, probabilities)
        if header_length is None:
            return Response(answer, media_type="application/json")
        return Response(answer, media_type="application/octet-stream", headers={HEADER_LENGTH: str(header_length)})

    only_this = [Depends(served)]
    for path, parameters in _places(card):
        said = {"parameters": parameters}
        router.get(path, summary="Inputs and outputs", responses=PROBLEMS, dependencies=only_this, openapi_extra=said)(describe)
        ready_problems = {**PROBLEMS, 503: {"description": "Draining"}}
        router.get(f"{path}/ready", summary="Ready for traffic", responses=ready_problems, dependencies=only_this, openapi_extra=said)(
            model_ready
        )
        router.post(
            f"{path}/infer",
            summary="Predict the classes of cases",
            responses=INFER_PROBLEMS,
            dependencies=only_this,
            openapi_extra={**said, **_body(card)},
        )(infer)
    return router


def _places(card: ModelCard) -> list[tuple[str, list[dict[str, Any]]]]:
    """The two paths of a model, and the description of their parameters."""
    name, version = (
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "enum": [value]}}
        for name, value in (("name", card.name), ("version", card.version))
    )
    return [("/models/{name}", [name]), ("/models/{name}/versions/{version}", [name, version])]


def _body(card: ModelCard) -> dict[str, Any]:
    """The description of a request with one case in JSON, for people to try; the protocol's own allows more."""
    numbers = [{"type": "number", "minimum": feature.minimum, "maximum": feature.maximum} for feature in card.features]
    many = len(numbers)
    example = [card.example[feature.name] for feature in card.features]
    properties = {
        "name": {"const": INPUT},
        "datatype": {"const": "FP64"},
        "shape": {"const": [1, many]},
        "data": {"type": "array", "prefixItems": numbers, "items": False, "minItems": many},
    }
    tensor = {"type": "object", "required": list(properties), "properties": properties}
    schema = {
        "type": "object",
        "required": ["inputs"],
        "properties": {"inputs": {"type": "array", "items": tensor, "minItems": 1, "maxItems": 1}},
    }
    example_tensor = {"name": INPUT, "datatype": "FP64", "shape": [1, many], "data": example}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema, "example": {"inputs": [example_tensor]}}}}}


def protocol_errors() -> dict[type[Exception], Callable[[Request, Any], Awaitable[Response]]]:
    """How the protocol answers its own errors, for an application that has its routes."""

    async def refused(_request: Request, exc: InferenceRefused) -> Response:
        return JSONResponse({"error": str(exc)}, status_code=400)

    async def not_found(_request: Request, exc: ModelNotFound) -> Response:
        return JSONResponse({"error": str(exc)}, status_code=404)

    return {InferenceRefused: refused, ModelNotFound: not_found}
