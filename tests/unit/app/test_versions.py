"""The versions are good or bad in the way that they are said to be."""

import time
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from app.dataset import Cases, split
from app.errors import PredictionFailed
from app.evaluation import FOLDS, cross_validate
from app.model import Model
from app.recipes import RECIPES
from app.store import load, read_card


def row(model: Model, cases: Cases, index: int) -> dict[str, float]:
    """One case by feature names."""
    names = [feature.name for feature in model.card.features]
    return dict(zip(names, cases.columns(names)[index].tolist(), strict=True))


def test_v2_is_better_than_v1_fold_by_fold() -> None:
    """On the same folds, by the corrected resampled t-test (Nadeau and Bengio, 2003): folds share cases, so they are not independent."""
    training, _ = split(seed=0)
    repeats = 4
    difference = cross_validate(RECIPES["v2"], training, 0, repeats) - cross_validate(RECIPES["v1"], training, 0, repeats)

    folds = FOLDS * repeats
    standard_error = np.sqrt((1 / folds + 1 / (FOLDS - 1)) * difference.var(ddof=1))
    p_value = stats.t.sf(difference.mean() / standard_error, df=folds - 1)

    assert len(difference) == folds
    assert difference.mean() > 0.01
    assert p_value < 0.05
    assert np.sum(difference < 0) <= folds / 10


def test_v2_is_no_worse_than_v1_on_the_holdout(store: Path) -> None:
    v1, v2 = (read_card(store, version).metrics["holdout_accuracy"] for version in ("v1", "v2"))

    assert v2 >= v1 > 0.9


@pytest.mark.parametrize("version", ["v1", "v2", "v2-wrong"])
def test_good_and_wrong_versions_answer_every_case_in_milliseconds(store: Path, version: str) -> None:
    model = load(store, version)
    _, holdout = split(seed=0)
    seconds = []
    for index in range(len(holdout.truth)):
        case = row(model, holdout, index)
        started = time.perf_counter()
        probabilities = model.predict(case)
        seconds.append(time.perf_counter() - started)
        assert sum(probabilities.values()) == pytest.approx(1)

    # 1 to 2 ms on an idle machine
    assert np.median(seconds) < 0.05


def test_v2_broken_fails_on_a_fifth_to_a_third_of_new_cases_because_of_sizes_it_never_saw(store: Path) -> None:
    model = load(store, "v2-broken")
    _, holdout = split(seed=0)
    reasons = []
    for index in range(len(holdout.truth)):
        try:
            model.predict(row(model, holdout, index))
        except PredictionFailed as exc:
            reasons.append(str(exc))

    assert 0.20 <= len(reasons) / len(holdout.truth) <= 0.35
    assert len(reasons) / len(holdout.truth) == pytest.approx(model.card.metrics["holdout_failed"])
    assert all("unknown categories" in reason for reason in reasons)


def test_v2_slow_waits_for_its_lookups_and_burns_no_cpu(store: Path) -> None:
    model = load(store, "v2-slow")
    started, cpu = time.perf_counter(), time.thread_time()
    model.predict(model.card.example)

    # sleeping never takes less, and more only on a busy machine
    assert 0.29 <= time.perf_counter() - started < 5
    assert time.thread_time() - cpu < 0.05


def test_v2_slow_is_as_good_as_v2_but_for_the_time(store: Path) -> None:
    slow, good = (read_card(store, version).metrics["holdout_accuracy"] for version in ("v2-slow", "v2"))

    assert slow == pytest.approx(good, abs=0.03)


def test_v2_wrong_is_no_better_than_chance(store: Path) -> None:
    metrics = read_card(store, "v2-wrong").metrics

    assert 0.35 < metrics["holdout_accuracy"] < 0.65
    assert metrics["holdout_failed"] == 0
