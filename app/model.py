"""A model that can be asked: its card and its fitted estimator."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.card import ModelCard
from app.errors import PredictionFailed


class Classifier(Protocol):
    """What is used of a fitted scikit-learn estimator."""

    def predict_proba(self, cases: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probabilities, shape (n, classes), of `cases`, shape (n, features)."""


@dataclass(frozen=True)
class Model:
    """A loaded model; safe to ask from several threads at once, as asking does not change it."""

    card: ModelCard
    classifier: Classifier

    def predict(self, features: Mapping[str, float]) -> dict[str, float]:
        """The probability of each class for one case.

        Args:
            features: at least the card's features; others are ignored.

        Raises:
            PredictionFailed: the model raised an error, or its probabilities are not finite.
        """
        row = np.array([[features[feature.name] for feature in self.card.features]])
        try:
            (probabilities,) = self.classifier.predict_proba(row)
        except Exception as exc:  # a model is code of others: whatever it raises is its failure, not the server's
            raise PredictionFailed(f"{self.card.version} failed on an input: {exc}") from exc
        if not np.isfinite(probabilities).all():
            raise PredictionFailed(f"{self.card.version} failed on an input: its probabilities are not finite")
        return dict(zip(self.card.classes, probabilities.tolist(), strict=True))
