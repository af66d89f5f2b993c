"""The answers of the API, as they go over the wire and into its OpenAPI description."""

from datetime import datetime

from pydantic import BaseModel, Field


class Prediction(BaseModel):
    """The answer to one case."""

    prediction: str = Field(description="the likeliest class")
    probability: float = Field(ge=0, le=1, description="of that class")
    probabilities: dict[str, float] = Field(description="of every class")
    model: str
    version: str
    request_id: str


class Served(BaseModel):
    """Who answers."""

    model: str
    version: str
    slot: str


class Status(BaseModel):
    """How a probe went."""

    status: str


class Problem(BaseModel):
    """What is wrong, in one sentence."""

    detail: str


class FieldProblem(BaseModel):
    """What is wrong with one field."""

    type: str
    loc: list[str | int] = Field(description="where it is, from 'body' down to the field")
    msg: str


class Invalid(BaseModel):
    """What is wrong with each field."""

    detail: list[FieldProblem]


class Failure(BaseModel):
    """What is wrong, in one sentence, as the Open Inference Protocol has it."""

    error: str


class Tensor(BaseModel):
    """A tensor's name and form; -1 is any number of rows."""

    name: str
    datatype: str
    shape: list[int]


class ModelMetadata(BaseModel):
    """What a model takes and gives."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[Tensor]
    outputs: list[Tensor]
    parameters: dict[str, list[str]] = Field(description="the names of the input's columns, and of the probabilities'")


class ServerMetadata(BaseModel):
    """What a server can do."""

    name: str
    version: str
    extensions: list[str]


class BatchPrediction(BaseModel):
    """A prediction that a batch made, or why it could not."""

    input_digest: str = Field(description="sha256 of the file of observations")
    row: int = Field(description="in that file, from 0")
    model: str
    version: str
    prediction: str | None = Field(description="the likeliest class; null if the row was refused")
    probability: float | None = Field(description="of that class")
    refusal: str | None = Field(description="why the row could not be predicted")
    predicted_at: datetime


class PredictionPage(BaseModel):
    """Some predictions."""

    predictions: list[BatchPrediction]
    next_cursor: int | None = Field(description="where the next page begins; null on the last one")
