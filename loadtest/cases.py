"""What users send: the holdout's cases, each with the class that is right for it."""

import csv
import json
from math import isfinite
from pathlib import Path
from typing import NamedTuple

from strategies.errors import StoreRefused


class Case(NamedTuple):
    """One case."""

    body: str
    """What is sent, JSON: {"features": {name: number}}."""
    truth: str
    """The class that is right."""


def read_cases(path: Path) -> tuple[Case, ...]:
    """The cases of a `holdout.csv`: the columns `case` and `truth`, every other one a feature.

    Raises:
        StoreRefused: the file cannot be read, or has no cases of that form.
    """
    try:
        with path.open(newline="") as file:
            cases = tuple(map(_case, csv.DictReader(file, strict=True)))
    except OSError as error:
        raise StoreRefused(f"the users' cases cannot be read from {path}: {error.strerror}; `labctl model train` writes them") from error
    except (ValueError, LookupError, TypeError, csv.Error) as error:
        raise StoreRefused(f"{path} does not hold users' cases ({error}); `labctl model train` writes them anew") from error
    if not cases:
        raise StoreRefused(f"{path} holds no users' cases; `labctl model train` writes them anew")
    return cases


def _case(row: dict[str, str]) -> Case:
    truth = row.pop("truth")
    row.pop("case")
    features = {name: float(value) for name, value in row.items()}
    if not truth or not features or not all(map(isfinite, features.values())):
        raise ValueError("a case needs features that are finite numbers, and a truth")
    return Case(json.dumps({"features": features}), truth)
