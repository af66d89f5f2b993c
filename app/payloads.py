"""The answers of the API, as they go over the wire and into its OpenAPI description."""

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
