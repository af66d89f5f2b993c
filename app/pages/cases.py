"""The real cases that a visitor can pick from, and what their features mean."""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from app.errors import StoreRefused
from app.publishing import HOLDOUT_FILE

GROUPS = {"Mean": "mean of all nuclei in the image", "Error": "standard error of that mean", "Worst": "mean of the three largest values"}
UNITS = {
    "radius": "length",
    "texture": "grey levels",
    "perimeter": "length",
    "area": "length²",
}
"""The data tells lengths in the image's own unit; everything else is a ratio without a unit."""


@dataclass(frozen=True)
class HoldoutCase:
    """A case that training never saw.

    Attributes:
        number: its row in the whole data.
        features: its values by name.
        truth: the class that is right.
    """

    number: int
    features: dict[str, float]
    truth: str


@cache
def holdout(store: Path) -> dict[int, HoldoutCase]:
    """The cases of a store by number.

    Raises:
        StoreRefused: the store has none.
    """
    path = store / HOLDOUT_FILE
    try:
        with path.open(newline="", encoding="utf-8") as file:
            cases = [_case(row) for row in csv.DictReader(file, strict=True)]
    except (OSError, ValueError, LookupError, TypeError, csv.Error) as exc:
        raise StoreRefused(f"the cases cannot be read from {path}: `labctl model train` writes them anew") from exc
    if not cases:
        raise StoreRefused(f"{path} holds no cases: `labctl model train` writes them anew")
    return {case.number: case for case in cases}


def _case(row: dict[str, str]) -> HoldoutCase:
    number, truth = int(row.pop("case")), row.pop("truth")
    return HoldoutCase(number, {name: float(value) for name, value in row.items()}, truth)


def group(feature: str) -> str:
    """Which of `GROUPS` a feature belongs to."""
    # by the name alone: whoever asks for the dataset has all of scikit-learn loaded, which a page without a model does not need
    if feature.startswith("mean_"):
        return "Mean"
    return "Error" if feature.endswith("_error") else "Worst"


def label(feature: str) -> str:
    """A feature's name for people, with its unit."""
    measure = feature.removeprefix("mean_").removeprefix("worst_").removesuffix("_error")
    return f"{measure.replace('_', ' ')} ({UNITS.get(measure, 'ratio')})"
