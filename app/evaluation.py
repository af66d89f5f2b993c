"""How good a version is: on the holdout, and by repeated cross-validation on the training cases.

The two answer different questions. The holdout is what the lab's users will send; its 171 cases are too few to tell
v1 from v2 reliably. The folds are the same for every version of a seed, so two versions can be compared fold by fold.
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import RepeatedStratifiedKFold
from sklearn.pipeline import Pipeline

from app.dataset import Cases
from app.recipes import Recipe

FOLDS = 5
REPEATS = 2


def right_and_failed(model: Pipeline, values: NDArray[np.float64], truth: NDArray[np.str_]) -> tuple[float, float]:
    """The ratio of right answers and the ratio of failed ones among all of `values`, shape (n, features)."""
    try:
        return float(np.mean(model.predict(values) == truth)), 0.0
    except ValueError:
        # one case that the model refuses fails the whole batch, so each is asked alone
        answers = [_answer(model, case) for case in values]
        right = [answer == true for answer, true in zip(answers, truth, strict=True)]
        return float(np.mean(right)), float(np.mean([answer is None for answer in answers]))


def _answer(model: Pipeline, case: NDArray[np.float64]) -> str | None:
    try:
        return str(model.predict(case.reshape(1, -1))[0])
    except ValueError:
        return None


def cross_validate(recipe: Recipe, training: Cases, seed: int, repeats: int = REPEATS) -> NDArray[np.float64]:
    """The accuracy on each of `FOLDS` × `repeats` folds, shape (folds,); a failed answer counts as not right."""
    values = training.columns(recipe.features)
    folds = RepeatedStratifiedKFold(n_splits=FOLDS, n_repeats=repeats, random_state=seed).split(values, training.truth)
    return np.array(
        [right_and_failed(recipe.fit(values[fit], training.truth[fit], seed), values[test], training.truth[test])[0] for fit, test in folds]
    )
