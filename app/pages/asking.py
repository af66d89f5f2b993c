"""What all ways of serving have in common: somebody is asked about a case, and answers."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from app.card import Feature
from app.model import Model


@dataclass(frozen=True)
class Answer:
    """An answer to one case.

    Attributes:
        prediction: the likeliest class.
        probabilities: 0..1, of every class.
        version: of the model that answered.
        by: the strategy and what served it, for people.
        seconds: from the question to the answer, as whoever asked saw it.
    """

    prediction: str
    probabilities: dict[str, float]
    version: str
    by: str
    seconds: float

    @property
    def probability(self) -> float:
        """Of the likeliest class."""
        return self.probabilities[self.prediction]


class Answering(Protocol):
    """A served model."""

    def features(self) -> tuple[Feature, ...]:
        """What it wants to know, with the ranges that it takes."""

    def ask(self, features: Mapping[str, float]) -> Answer:
        """Its answer.

        Raises:
            AppError: there is none, and why.
        """


@dataclass(frozen=True)
class InProcess:
    """A model in the page's own process.

    Attributes:
        model: the model.
        by: as in `Answer`.
    """

    model: Model
    by: str

    def features(self) -> tuple[Feature, ...]:
        """Those of the model's card."""
        return self.model.card.features

    def ask(self, features: Mapping[str, float]) -> Answer:
        """The model's answer.

        Raises:
            PredictionFailed: the model failed on this case.
        """
        began = time.perf_counter()
        probabilities = self.model.predict(features)
        seconds = time.perf_counter() - began
        return Answer(max(probabilities, key=probabilities.__getitem__), probabilities, self.model.card.version, self.by, seconds)
