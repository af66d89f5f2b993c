"""Tensors as the Open Inference Protocol writes them: JSON, or JSON followed by raw bytes (its extension binary_tensor_data).

One input, `features`: a row per case, a column per feature in the order of the model's metadata. Two outputs: `prediction`,
the likeliest class, and `probabilities`, a column per class. What comes in is bounded, flat and finite, or refused in a sentence.
A null is what was left out, and a content type of MLServer's is taken where it names the form that tensors have here anyway.
"""

import json
import re
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from app.card import ModelCard
from app.errors import InferenceRefused

INPUT, PREDICTION, PROBABILITIES = "features", "prediction", "probabilities"
DATATYPES = {"FP64": "<f8", "FP32": "<f4"}
BINARY_SIZE, BINARY_OUTPUT, ALL_BINARY = "binary_data_size", "binary_data", "binary_data_output"
CONTENT_TYPE, CONTENT_TYPES = "content_type", frozenset({"np", "pd", "str"})
"""How MLServer's clients tell what a tensor was made of: arrays and tables of numbers, and texts, are written as we read and write them."""
UNNAMED = re.compile(r"input-[0-9]{1,9}")
"""What MLServer's and KServe's clients call a tensor to which nobody gave a name; here can only be one."""


def _without_nulls(value: Any) -> Any:
    if value is None:
        return {}
    return {name: one for name, one in value.items() if one is not None} if isinstance(value, dict) else value


Parameters = Annotated[dict[str, bool | int | float | str], BeforeValidator(_without_nulls)]


class InputTensor(BaseModel):
    """A tensor of a request; without data its bytes follow the JSON."""

    model_config = ConfigDict(strict=True)

    name: str
    datatype: str
    shape: list[int]
    parameters: Parameters = {}
    data: list[float] | list[list[float]] | None = None


class RequestedOutput(BaseModel):
    """A tensor that the client wants."""

    model_config = ConfigDict(strict=True)

    name: str
    parameters: Parameters = {}


class Inference(BaseModel):
    """A request."""

    model_config = ConfigDict(strict=True)

    id: str | None = Field(default=None, max_length=128)
    parameters: Parameters = {}
    inputs: list[InputTensor] = Field(min_length=1, max_length=1)
    outputs: Annotated[list[RequestedOutput], BeforeValidator(lambda value: [] if value is None else value)] = Field(
        default=[], max_length=2
    )


def decode(body: bytes, header_length: str | None, card: ModelCard) -> tuple[Inference, NDArray[np.float64]]:
    """A request and its rows, shape (n, features).

    Args:
        body: of the HTTP request.
        header_length: how many bytes of it are JSON, as its header says; None if all are.
        card: of the model that is asked.

    Raises:
        InferenceRefused: it is no request for this model.
    """
    length = len(body)
    if header_length is not None:
        if not (header_length.isascii() and header_length.isdigit() and len(header_length) < 10 and int(header_length) <= length):
            raise InferenceRefused("Inference-Header-Content-Length must be the number of bytes of the JSON at the body's beginning")
        length = int(header_length)
    try:
        request = Inference.model_validate_json(body[:length])
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"])) or "the body"
        raise InferenceRefused(f"{where}: {first['msg']}") from exc
    for output in request.outputs:
        _check_output(output)
    rows = _rows(request.inputs[0], body[length:], len(card.features))
    _check_values(rows, card)
    return request, rows


def _check_output(output: RequestedOutput) -> None:
    if output.name not in (PREDICTION, PROBABILITIES):
        raise InferenceRefused(f"there is no output {output.name!r}: ask for {PREDICTION} or {PROBABILITIES}")
    _check_parameters("output", output.parameters, BINARY_OUTPUT)


def _check_parameters(what: str, parameters: Parameters, known: str) -> None:
    if unknown := set(parameters) - {known, CONTENT_TYPE}:
        raise InferenceRefused(f"the {what}'s parameter {min(unknown)} is not supported: only {known} and {CONTENT_TYPE} are")
    if (content := parameters.get(CONTENT_TYPE, "np")) not in CONTENT_TYPES:
        raise InferenceRefused(f"the {what}'s content type {content!r} is not supported: only {', '.join(sorted(CONTENT_TYPES))} are")


def _rows(tensor: InputTensor, following: bytes, columns: int) -> NDArray[np.float64]:
    if tensor.name != INPUT and not UNNAMED.fullmatch(tensor.name):
        raise InferenceRefused(f"there is no input {tensor.name!r}: send one tensor named {INPUT}")
    if tensor.datatype not in DATATYPES:
        raise InferenceRefused(f"the datatype {tensor.datatype!r} is not supported: send {' or '.join(DATATYPES)}")
    _check_parameters("input", tensor.parameters, BINARY_SIZE)
    shape = tensor.shape
    if len(shape) != 2 or shape[0] < 1 or shape[1] != columns:
        raise InferenceRefused(f"the shape must be [rows, {columns}] with at least one row, a column per feature of the model's metadata")
    if tensor.data is None:
        kind = np.dtype(DATATYPES[tensor.datatype])
        size = shape[0] * columns * kind.itemsize
        if tensor.parameters.get(BINARY_SIZE) != size or len(following) != size:
            raise InferenceRefused(
                f"{shape} of {tensor.datatype} are {size} bytes: send data, or {BINARY_SIZE} and as many bytes after the JSON"
            )
        return np.frombuffer(following, kind).reshape(shape).astype(np.float64)
    if following or BINARY_SIZE in tensor.parameters:
        raise InferenceRefused("send the tensor as data in the JSON or as bytes after it, not as both")
    # ragged rows would make numpy raise, so they are told by their lengths first
    flat = [value for row in tensor.data for value in (row if isinstance(row, list) else (row,))]
    ragged = any(isinstance(row, list) and len(row) != columns for row in tensor.data)
    if ragged or len(flat) != shape[0] * columns:
        raise InferenceRefused(f"the data are not {shape[0]} rows of {columns} numbers")
    return np.array(flat, dtype=np.float64).reshape(shape)


def _check_values(rows: NDArray[np.float64], card: ModelCard) -> None:
    least = np.array([feature.minimum for feature in card.features])
    most = np.array([feature.maximum for feature in card.features])
    # written so that NaN is wrong as well
    wrong = ~((rows >= least) & (rows <= most))
    if wrong.any():
        row, column = (int(index) for index in np.argwhere(wrong)[0])
        feature = card.features[column]
        raise InferenceRefused(
            f"row {row}: {feature.name} is {rows[row, column]!s}: send a finite number from {feature.minimum:g} to {feature.maximum:g}"
        )


def encode(request: Inference, card: ModelCard, probabilities: NDArray[np.float64]) -> tuple[bytes, int | None]:
    """An answer's body, and how many bytes of it are JSON if others follow."""
    outputs: list[dict[str, Any]] = []
    blobs: list[bytes] = []
    everything = request.outputs or [RequestedOutput(name=name) for name in (PREDICTION, PROBABILITIES)]
    for wanted in everything:
        likeliest = [card.classes[index] for index in probabilities.argmax(axis=1)]
        output: dict[str, Any]
        if wanted.name == PREDICTION:
            output = {"name": PREDICTION, "datatype": "BYTES", "shape": [len(likeliest)]}
            blob = b"".join(len(name.encode()).to_bytes(4, "little") + name.encode() for name in likeliest)
            data: list[Any] = likeliest
        else:
            output = {"name": PROBABILITIES, "datatype": "FP64", "shape": list(probabilities.shape)}
            blob = probabilities.astype("<f8").tobytes()
            data = probabilities.ravel().tolist()
        if wanted.parameters.get(BINARY_OUTPUT, request.parameters.get(ALL_BINARY)) is True:
            output["parameters"] = {BINARY_SIZE: len(blob)}
            blobs.append(blob)
        else:
            output["data"] = data
        outputs.append(output)
    answer = {"model_name": card.name, "model_version": card.version, "outputs": outputs}
    if request.id is not None:
        answer["id"] = request.id
    text = json.dumps(answer).encode()
    return b"".join((text, *blobs)), len(text) if blobs else None
