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

    def predict_batch(self, rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], dict[int, str]]:
        """The probabilities of many cases at once, and the cases that the model fails on.

        One bad case makes a model fail on all that it was asked with, so what fails is asked again in halves.

        Args:
            rows: shape (n, features), columns as in the card.

        Returns:
            Probabilities, shape (n, classes), NaN where the model failed; and why it did, by row.
        """
        probabilities = np.full((len(rows), len(self.card.classes)), np.nan)
        failed: dict[int, str] = {}
        waiting = [(0, len(rows))] if len(rows) else []
        while waiting:
            first, end = waiting.pop()
            try:
                probabilities[first:end] = self.classifier.predict_proba(rows[first:end])
            except Exception as exc:  # noqa: BLE001  as above; it is told for the row
                if end - first == 1:
                    failed[first] = f"{self.card.version} failed on an input: {exc}"
                else:
                    middle = (first + end) // 2
                    waiting += [(first, middle), (middle, end)]
        for row in np.flatnonzero(~np.isfinite(probabilities).all(axis=1)).tolist():
            probabilities[row] = np.nan
            failed.setdefault(row, f"{self.card.version} failed on an input: its probabilities are not finite")
        return probabilities, failed
