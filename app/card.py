"""What is told about a model beside its file: `model.json`."""

import platform
from importlib import metadata
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

Finite = Annotated[float, Field(allow_inf_nan=False)]


class Feature(BaseModel):
    """One input of a model and the range outside of which a value is surely a mistake."""

    model_config = ConfigDict(frozen=True)

    name: str
    minimum: Finite
    maximum: Finite


class ModelCard(BaseModel):
    """All that is known of a trained model without opening its file.

    Attributes:
        name: what it predicts; the same for all versions.
        version: which one it is.
        idea: what it is made of, in a sentence.
        seed: of the split and of the training.
        features: its inputs, in the order of its columns.
        classes: its answers, in the order of its probabilities.
        libraries: versions of python, scikit-learn, numpy and joblib that made it.
        metrics: ratios 0..1, such as "holdout_accuracy".
        sha256: of the bytes of `model.joblib`, in hex.
        example: an input, from the training cases; the server warms up with it.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    version: str
    idea: str
    seed: int
    features: tuple[Feature, ...] = Field(min_length=1)
    classes: tuple[str, ...] = Field(min_length=2)
    libraries: dict[str, str]
    metrics: dict[str, float]
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    example: dict[str, Finite]

    @model_validator(mode="after")
    def _fits_itself(self) -> "ModelCard":
        if missing := [feature.name for feature in self.features if feature.name not in self.example]:
            raise ValueError(f"its example lacks {', '.join(missing)}")
        return self


def libraries_here() -> dict[str, str]:
    """The versions of what a pickled model depends on, as installed here."""
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in ("scikit-learn", "numpy", "joblib")}}
