"""Experiments: a false alarm is as rare as promised however often one looks, and a difference that matters is found."""

from itertools import product
from math import exp, prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impact.betting import log_evidence_above, log_evidence_below, tally
from impact.experiment import _evidence_of_more, compare_means, sample_ratio

shares = st.lists(st.integers(0, 10).map(lambda right: right / 10), max_size=40)
some_shares = st.lists(st.integers(0, 10).map(lambda right: right / 10), min_size=1, max_size=40)


def users(chance: np.random.Generator, n: int, right: float) -> list[float]:
    """Users who differ: each has a ratio of right answers of their own, and gives ten."""
    observed: list[float] = (chance.binomial(10, chance.beta(right * 200, (1 - right) * 200, n)) / 10).tolist()
    return observed


# --- bets ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("probabilities", [(0.1, 0.1, 0.8), (0.5, 0.0, 0.5), (0.02, 0.96, 0.02), (0.9, 0.1, 0.0)])
def test_evidence_expects_exactly_one_at_the_true_mean_and_less_below_it(probabilities: tuple[float, ...]) -> None:
    """By all the courses that four observations can take: this is what makes it valid, at any time."""
    values = (0.0, 0.5, 1.0)
    mean = sum(value * probability for value, probability in zip(values, probabilities, strict=True))
    for m, bound in ((mean, 1 + 1e-9), (min(1.0, mean + 0.05), 1 - 1e-6)):
        expected = sum(
            prod(probabilities[index] for index in course) * exp(float(log_evidence_above(tally([values[index] for index in course]), m)))
            for course in product(range(3), repeat=4)
        )
        assert expected <= bound
    assert expected > 0.5
    assert sum(
        prod(probabilities[index] for index in course) * exp(float(log_evidence_below(tally([values[index] for index in course]), mean)))
        for course in product(range(3), repeat=4)
    ) == pytest.approx(1)


@given(shares, st.floats(0, 1), st.floats(0, 1))
def test_there_is_less_evidence_above_a_higher_mean(observed: list[float], m: float, other: float) -> None:
    low, high = log_evidence_above(tally(observed), sorted((m, other)))

    assert low >= high - 1e-9


@pytest.mark.parametrize("wrong", [1.5, -0.1, float("nan")])
def test_what_is_out_of_bounds_is_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        compare_means([0.5, wrong], [0.5], alpha=0.05)


# --- means --------------------------------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(some_shares, some_shares, st.floats(-0.99, 0.99))
def test_the_least_favourable_mean_is_found(ours: list[float], theirs: list[float], difference: float) -> None:
    """As by looking at very many."""
    ones, others = tally(ours), tally(theirs)
    s = np.linspace(max(0.0, -difference), min(1.0, 1.0 - difference), 4001)
    values = log_evidence_above(ones, np.clip(s + difference, 0, 1)) + log_evidence_below(others, s)

    assert _evidence_of_more(ones, others, difference) <= values.min() + 1e-6


@settings(max_examples=40)
@given(shares, shares)
def test_exchanging_the_two_turns_the_answer_round_and_order_does_not_matter(ours: list[float], theirs: list[float]) -> None:
    there = compare_means(ours, theirs, alpha=0.05)
    back = compare_means(theirs[::-1], ours[::-1], alpha=0.05)

    assert (back.lower, back.upper) == pytest.approx((-there.upper, -there.lower), abs=1e-3)
    assert -1 <= there.lower <= there.upper <= 1
    if there.difference is not None:
        assert there.lower <= there.difference <= there.upper


def test_no_users_say_nothing() -> None:
    for found in (compare_means([], [], alpha=0.05), compare_means([1.0] * 500, [], alpha=0.05)):
        assert (found.difference, found.lower, found.upper, found.decided, found.detectable) == (None, -1.0, 1.0, "none", None)


def test_looking_again_and_again_raises_no_more_false_alarms_than_promised() -> None:
    """Two equal versions, looked at six times each, with an alpha that would show."""
    chance, alarms, experiments, alpha = np.random.default_rng(1), 0, 80, 0.3
    for _ in range(experiments):
        ours, theirs = users(chance, 300, 0.94), users(chance, 300, 0.94)
        looks = [compare_means(ours[:n], theirs[:n], alpha=alpha) for n in (5, 15, 40, 90, 180, 300)]
        alarms += any(look.decided != "none" for look in looks)

    assert alarms <= alpha * experiments


def test_five_points_are_found_with_300_users_each_and_the_sign_is_right() -> None:
    chance = np.random.default_rng(2)
    worse = [compare_means(users(chance, 300, 0.89), users(chance, 300, 0.94), alpha=0.05) for _ in range(20)]
    better = [compare_means(users(chance, 300, 0.94), users(chance, 300, 0.89), alpha=0.05) for _ in range(20)]

    assert sum(look.decided == "loser" for look in worse) >= 18
    assert sum(look.decided == "winner" for look in better) >= 18
    assert all(look.lower < -0.05 < look.upper for look in worse)
    assert all(look.lower < 0.05 < look.upper for look in better)


def test_the_difference_that_is_called_detectable_is_found_about_as_often_as_said() -> None:
    chance = np.random.default_rng(3)
    equal = [compare_means(users(chance, 200, 0.92), users(chance, 200, 0.92), alpha=0.05) for _ in range(10)]
    detectable = float(np.mean([look.detectable for look in equal if look.detectable]))
    found = [compare_means(users(chance, 200, 0.92 - detectable), users(chance, 200, 0.92), alpha=0.05) for _ in range(60)]

    assert 0.02 < detectable < 0.06
    assert 0.6 < np.mean([look.decided == "loser" for look in found]) < 0.97


def test_more_users_can_tell_smaller_differences() -> None:
    chance = np.random.default_rng(4)
    detectable = [
        compare_means(users(chance, n, 0.94), users(chance, 9 * n, 0.94), alpha=0.05).detectable or 1.0 for n in (2, 20, 200, 2000)
    ]

    assert detectable == sorted(detectable, reverse=True)
    assert detectable[-1] < 0.02


# --- sample ratio -------------------------------------------------------------------------------------------------------


def ever_objects(chance: np.random.Generator, users: int, share: float, intended: float, level: float) -> bool:
    candidates = np.cumsum(chance.random(users) < share)
    return any(not sample_ratio(int(k), n - int(k), intended, level=level) for n, k in enumerate(candidates, 1))


@pytest.mark.parametrize("share", [0.5, 0.1])
def test_a_right_split_is_rarely_objected_to_though_asked_after_every_user(share: float) -> None:
    chance = np.random.default_rng(5)

    assert sum(ever_objects(chance, 300, share, share, level=0.8) for _ in range(100)) <= 20


def test_a_split_that_is_off_is_objected_to() -> None:
    chance = np.random.default_rng(6)

    assert all(ever_objects(chance, 2500, 0.42, 0.5, level=0.9999) for _ in range(5))
    assert not sample_ratio(0, 60, 0.5)
    assert not sample_ratio(40, 60, 0.1)
    assert sample_ratio(0, 5, 0.5)
    assert sample_ratio(0, 0, 0.5)
    with pytest.raises(ValueError, match="between 0 and 1"):
        sample_ratio(1, 1, 1.0)
