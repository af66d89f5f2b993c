import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from impact.binomial import LEVEL, answers_needed, interval, plausible, settled

shares = st.floats(0.001, 0.999)


@st.composite
def served(draw: st.DrawFn, most: int = 3000) -> tuple[int, int]:
    n = draw(st.integers(1, most))
    return draw(st.integers(0, n)), n


@given(served(), st.floats(0.5, 0.99999))
def test_beyond_the_interval_the_observed_count_is_as_rare_as_the_level_says(observed: tuple[int, int], level: float) -> None:
    k, n = observed
    low, high = interval(k, n, level)

    assert 0 <= low <= k / n <= high <= 1
    assert low == 0 if k == 0 else binom.sf(k - 1, n, low) == pytest.approx((1 - level) / 2)
    assert high == 1 if k == n else binom.cdf(k, n, high) == pytest.approx((1 - level) / 2)


@given(st.integers(1, 400), shares)
def test_an_honest_share_is_implausible_at_most_as_often_as_the_level_allows(n: int, share: float) -> None:
    fitting = [k for k in range(n + 1) if plausible(k, n, share)]

    assert np.sum(binom.pmf(fitting, n, share)) >= LEVEL


@given(st.integers(1, 5000), st.data())
def test_nothing_and_everything_allow_no_exception(n: int, data: st.DataObject) -> None:
    assert plausible(0, n, 0.0)
    assert plausible(n, n, 1.0)
    assert not plausible(data.draw(st.integers(1, n)), n, 0.0)
    assert not plausible(data.draw(st.integers(0, n - 1)), n, 1.0)


@given(st.floats(0, 1), st.floats(0, 1))
def test_no_answer_excludes_no_share_and_settles_nothing(new: float, old: float) -> None:
    assert interval(0, 0) == (0, 1)
    assert plausible(0, 0, new)
    assert not settled(0, 0, new, old)


@pytest.mark.parametrize(
    ("k", "n", "new", "old", "expected"),
    [
        (1, 8, 0.1, 0.0, True),  # one answer of the candidate is enough to know that it gets some
        (0, 8, 0.1, 0.0, False),
        (10, 100, 0.1, 0.5, True),
        (10, 20, 0.1, 0.5, False),  # fits the old share only
        (6, 20, 0.25, 0.5, False),  # fits both
        (0, 120, 0.0, 0.1, True),
        (1, 120, 0.0, 0.1, False),
        (30, 30, 1.0, 0.5, True),
        (29, 30, 1.0, 0.5, False),
        (3, 30, 0.1, 0.1, True),  # nothing changed, nothing to exclude
        (25, 30, 0.1, 0.1, False),
    ],
)
def test_settled_is_to_fit_the_new_share_and_to_exclude_the_old_one(k: int, n: int, new: float, old: float, *, expected: bool) -> None:
    assert settled(k, n, new, old) is expected


@pytest.mark.parametrize(("new", "old"), [(0.1, 0.0), (0.01, 0.0), (0.0, 0.1), (0.25, 0.1), (0.5, 0.25), (1.0, 0.5), (0.1, 1.0)])
def test_so_many_answers_settle_a_change_more_likely_than_not_and_a_third_of_them_do_not(new: float, old: float) -> None:
    needed = answers_needed(new, old)

    assert _settling(needed, new, old) >= 0.5
    assert _settling(needed // 3, new, old) < 0.5


def test_a_share_that_stays_is_seen_with_one_answer() -> None:
    assert answers_needed(0.1, 0.1) == 1


def _settling(n: int, new: float, old: float) -> float:
    """The probability that a change has settled after `n` answers."""
    counts = np.arange(n + 1)
    return float(binom.pmf(counts, n, new) @ [settled(k, n, new, old) for k in range(n + 1)])
