from itertools import islice, pairwise
from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from loadtest.schedule import SHAPES, Arrival, arrivals, rate_at
from strategies.run import LoadOptions

CASES = 142

loads = st.builds(
    LoadOptions,
    rate=st.floats(0.1, 100),
    users=st.integers(1, 1000),
    seed=st.integers(),
    shape=st.sampled_from(sorted(SHAPES)),
    seconds=st.floats(0.01, 2),
)


@given(loads, st.integers(1, 1000))
def test_a_schedule_is_in_order_within_its_bounds_and_the_same_again(options: LoadOptions, cases: int) -> None:
    schedule = list(arrivals(options, cases))

    assert schedule == list(arrivals(options, cases))
    assert all(earlier.offset <= later.offset for earlier, later in pairwise(schedule))
    for arrival in schedule:
        assert 0 <= arrival.offset <= (options.seconds or 0)
        assert 0 <= arrival.user < options.users
        assert 0 <= arrival.case < cases


def test_a_seed_means_the_same_on_every_machine_and_in_every_version() -> None:
    schedule = arrivals(LoadOptions(rate=50, users=100, seed=1), CASES)

    assert list(islice(schedule, 3)) == [Arrival(0.037902, 85, 18), Arrival(0.055594, 80, 106), Arrival(0.065076, 66, 77)]


@given(st.integers(), st.integers())
def test_another_seed_gives_another_schedule(one: int, other: int) -> None:
    first, second = (list(islice(arrivals(LoadOptions(seed=seed), CASES), 20)) for seed in (one, other))

    assert (first == second) == (one == other)


@given(loads, st.floats(0.1, 500))
def test_the_nth_request_is_the_same_one_whatever_the_rate_and_the_shape(options: LoadOptions, rate: float) -> None:
    plain = arrivals(LoadOptions(rate=rate, users=options.users, seed=options.seed), CASES)

    for shaped, constant in zip(arrivals(options, CASES), plain, strict=False):
        assert (shaped.user, shaped.case) == (constant.user, constant.case)


@given(st.sampled_from(sorted(SHAPES)), st.floats(0.1, 1000), st.floats(0.1, 1000))
def test_every_shape_has_the_rate_as_its_mean_and_a_peak_that_it_keeps_below(shape: str, rate: float, seconds: float) -> None:
    options = LoadOptions(rate=rate, shape=shape, seconds=seconds)

    rates = [rate_at(options, seconds * (slice_ + 0.5) / 1000) for slice_ in range(1000)]

    assert sum(rates) / 1000 == pytest.approx(rate)
    assert max(rates) <= rate * SHAPES[shape].peak * (1 + 1e-9)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", range(5))
def test_each_part_of_a_schedule_has_the_requests_that_its_shape_asks_for(shape: str, seed: int) -> None:
    """Within five standard deviations of a Poisson count, in each tenth of the time."""
    options = LoadOptions(rate=400, seed=seed, shape=shape, seconds=50)

    counts = [0] * 10
    for arrival in arrivals(options, CASES):
        counts[int(arrival.offset / 5)] += 1

    for part, count in enumerate(counts):
        expected = sum(rate_at(options, part * 5 + (slice_ + 0.5) / 20) / 20 for slice_ in range(100))
        assert abs(count - expected) < 5 * sqrt(expected)


@pytest.mark.parametrize("seed", range(5))
def test_gaps_are_exponential_and_users_and_cases_uniform(seed: int) -> None:
    schedule = list(islice(arrivals(LoadOptions(rate=50, users=20, seed=seed), 10), 20_000))
    gaps = [later.offset - earlier.offset for earlier, later in pairwise(schedule)]

    assert stats.kstest(gaps, stats.expon(scale=1 / 50).cdf).pvalue > 1e-4
    assert abs(stats.pearsonr(gaps[:-1], gaps[1:]).statistic) < 5 / sqrt(len(gaps))
    for chosen, choices in (([arrival.user for arrival in schedule], 20), ([arrival.case for arrival in schedule], 10)):
        assert stats.chisquare([chosen.count(choice) for choice in range(choices)]).pvalue > 1e-4


@pytest.mark.parametrize(
    ("options", "cases", "sentence"),
    [
        (LoadOptions(rate=0), CASES, "rate above 0"),
        (LoadOptions(rate=-1), CASES, "rate above 0"),
        (LoadOptions(rate=float("nan")), CASES, "rate above 0"),
        (LoadOptions(rate=float("inf")), CASES, "rate above 0"),
        (LoadOptions(users=0), CASES, "users and cases"),
        (LoadOptions(), 0, "users and cases"),
        (LoadOptions(shape="square", seconds=1), CASES, "there are constant, steps, ramp, spike"),
        (LoadOptions(shape="ramp"), CASES, "needs a number of seconds"),
        (LoadOptions(seconds=0), CASES, "more than 0 seconds"),
    ],
)
def test_what_makes_no_schedule_is_refused_at_once(options: LoadOptions, cases: int, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        arrivals(options, cases)
