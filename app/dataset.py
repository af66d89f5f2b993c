"""The cases: scikit-learn's bundled breast-cancer data, 569 real ones with 30 named features, split by seed.

Training sees 70 % of them; the other 30 %, the holdout, are what the lab's users send, each with its truth.
"""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

MEASURES = (
    "radius",
    "texture",
    "perimeter",
    "area",
    "smoothness",
    "compactness",
    "concavity",
    "concave_points",
    "symmetry",
    "fractal_dimension",
)
MEAN_FEATURES = tuple(f"mean_{measure}" for measure in MEASURES)
FEATURES = (*MEAN_FEATURES, *(f"{measure}_error" for measure in MEASURES), *(f"worst_{measure}" for measure in MEASURES))
"""All thirty, in the order of the data's columns: of the nuclei in one image their mean, standard error and mean of the three largest."""

HOLDOUT_SHARE = 0.3


@dataclass(frozen=True)
class Cases:
    """Some of the cases.

    Attributes:
        numbers: shape (n,), each case's row in the whole data, its name in the users' log.
        values: shape (n, 30), float64, columns as in `FEATURES`.
        truth: shape (n,), "malignant" or "benign".
    """

    numbers: NDArray[np.int64]
    values: NDArray[np.float64]
    truth: NDArray[np.str_]

    def columns(self, features: Iterable[str]) -> NDArray[np.float64]:
        """The values of `features` only, in that order."""
        return self.values[:, [FEATURES.index(feature) for feature in features]]

    def to_csv(self) -> str:
        """One row per case: its number, its features and its truth. Numbers read back as exactly the same float."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("case", *FEATURES, "truth"))
        for number, values, truth in zip(self.numbers, self.values, self.truth, strict=True):
            writer.writerow((number, *values.tolist(), truth))
        return text.getvalue()


def split(seed: int) -> tuple[Cases, Cases]:
    """The training cases and the holdout; the same seed gives the same split, with the classes in equal shares."""
    data = load_breast_cancer()
    truth = data.target_names.astype(str)[data.target]
    training, holdout = (
        np.sort(numbers) for numbers in train_test_split(np.arange(len(truth)), test_size=HOLDOUT_SHARE, stratify=truth, random_state=seed)
    )
    return Cases(training, data.data[training], truth[training]), Cases(holdout, data.data[holdout], truth[holdout])
