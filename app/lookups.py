"""A scaler with an N+1 problem: it asks for the statistics of one feature at a time. It makes v2-slow slow.

Its own module, because a pickled model names the module of its classes.
"""

import time
from typing import Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin


class PerFeatureScaler(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn publishes no types
    """Scales each feature by its mean and spread in the training cases, looked up one by one at each prediction.

    The wait of a lookup stands for a round trip to a feature store in another zone, about 10 ms. There is no such
    store behind it: the statistics are in memory, and the thread sleeps, so that it costs time and next to no CPU,
    as waiting for a network does.

    Attributes:
        seconds_per_lookup: how long one lookup waits.
    """

    def __init__(self, seconds_per_lookup: float = 0.01) -> None:
        self.seconds_per_lookup = seconds_per_lookup

    def fit(self, cases: NDArray[np.float64], truth: NDArray[np.str_] | None = None) -> Self:  # noqa: ARG002  scikit-learn's signature
        """Learn mean and standard deviation of each column of `cases`, shape (n, features)."""
        self.statistics_ = list(zip(cases.mean(axis=0).tolist(), cases.std(axis=0).tolist(), strict=True))
        return self

    def fit_transform(self, cases: NDArray[np.float64], truth: NDArray[np.str_] | None = None) -> NDArray[np.float64]:
        """Training has just computed the statistics, so it looks nothing up."""
        means, spreads = np.array(self.fit(cases, truth).statistics_).T
        return np.asarray((cases - means) / spreads)

    def transform(self, cases: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scale `cases`, with one lookup per feature however many cases there are."""
        scaled = np.empty_like(cases)
        for column in range(cases.shape[1]):
            mean, spread = self._look_up(column)
            scaled[:, column] = (cases[:, column] - mean) / spread
        return scaled

    def _look_up(self, column: int) -> tuple[float, float]:
        time.sleep(self.seconds_per_lookup)
        return self.statistics_[column]
