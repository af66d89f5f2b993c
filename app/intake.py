"""Taking in a case: a request's body, bounded in size, checked against a model's card.

The body is parsed by pydantic from its bytes and not by the json module, so that whatever is sent (NaN, 1e999, an integer of
5000 digits, a thousand brackets, bytes that are no UTF-8) ends as an error with a place and a reason.
"""

from typing import Any, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from app.card import ModelCard

Body = TypeVar("Body", bound=BaseModel)


async def read_bounded(request: Request, max_body_bytes: int, advice: str) -> bytes:
    """A request's body.

    Raises:
        HTTPException: 413 with `advice` if it is too long, 400 if its client left.
    """
    body = bytearray()
    try:
        # counted as it comes, so that a body without a content-length is bounded as well
        async for chunk in request.stream():
            body += chunk
            if len(body) > max_body_bytes:
                raise HTTPException(413, f"the body is longer than {max_body_bytes} bytes: {advice}")
    except ClientDisconnect as exc:
        # nobody will read this, but the metrics must not charge the model with a 500
        raise HTTPException(400, "the client left before its body was whole") from exc
    return bytes(body)


class Intake:
    """Reads requests of the form `{"features": {name: number}}` for one model.

    Numbers are strict (no text, no booleans), finite and within the card's range. Features that the model does not
    use are ignored, so that a client can send the same case to every version.
    """

    def __init__(self, card: ModelCard, max_body_bytes: int) -> None:
        fields: dict[str, Any] = {
            feature.name: (float, Field(ge=feature.minimum, le=feature.maximum, allow_inf_nan=False)) for feature in card.features
        }
        self._features = create_model("Features", __config__=ConfigDict(strict=True), **fields)
        self._case = create_model("Case", features=(self._features, ...))
        self._example = {"features": card.example}
        self._max_body_bytes = max_body_bytes

    @property
    def openapi(self) -> dict[str, Any]:
        """The description of the body, for an operation of an OpenAPI document."""
        # pydantic refers to nested models by a place in its own document, which would lead nowhere in this one
        schema = {**self._case.model_json_schema(), "properties": {"features": self._features.model_json_schema()}}
        schema.pop("$defs")
        return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema, "example": self._example}}}}

    async def read(self, request: Request) -> dict[str, float]:
        """The features that the model uses.

        Raises:
            HTTPException: 413 if the body is too long, 415 if it is said to be something other than JSON.
            RequestValidationError: 422, naming every field that is wrong.
        """
        return self.parse(await read_json(request, self._max_body_bytes))

    def parse(self, body: bytes) -> dict[str, float]:
        """The features in a request's body.

        Raises:
            RequestValidationError: 422, naming every field that is wrong.
        """
        features: dict[str, float] = validated(self._case, body).model_dump()["features"]
        return features


async def read_json(request: Request, max_body_bytes: int) -> bytes:
    """The body of a request that says it is JSON, or says nothing.

    Raises:
        HTTPException: 413 if the body is too long, 415 if it is said to be something other than JSON.
    """
    if request.headers.get("content-type", "application/json").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "send the body as application/json")
    return await read_bounded(request, max_body_bytes, "send one case per request")


def validated(kind: type[Body], body: bytes) -> Body:
    """The body as a `kind`.

    Raises:
        RequestValidationError: 422, naming every field that is wrong. It repeats no input, as a NaN in
            the answer could not be written as JSON.
    """
    try:
        return kind.model_validate_json(body)
    except ValidationError as exc:
        errors = exc.errors(include_url=False, include_input=False, include_context=False)
        raise RequestValidationError([{**error, "loc": ("body", *error["loc"])} for error in errors]) from exc
