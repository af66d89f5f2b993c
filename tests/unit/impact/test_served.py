"""What servers counted, as numbers that people ask for."""

from math import inf, isinf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.metrics import BUCKETS
from impact.measures import percentile as nearest_rank
from impact.served import failures, longest_absence, percentile
from strategies.judgement import Count

BOUNDS = (*BUCKETS, inf)


@given(st.lists(st.floats(0.0001, 20.0), min_size=1, max_size=200), st.sampled_from([0.5, 0.95, 0.99]))
def test_a_percentile_lies_in_the_same_bucket_as_the_real_one(seconds: list[float], q: float) -> None:
    """And never looks better than it is, where nobody knows how bad it is."""
    real = nearest_rank(seconds, q)
    found = percentile({bound: sum(second <= bound for second in seconds) for bound in BOUNDS}, q)

    assert real is not None
    assert found is not None
    upper = min(bound for bound in BOUNDS if real <= bound)
    lower = max((bound for bound in BOUNDS if bound < real), default=0.0)
    assert lower <= found <= upper
    assert isinf(found) == isinf(upper)


def test_of_nothing_no_percentile_is_known() -> None:
    assert percentile({}, 0.5) is None
    assert percentile({0.01: 0, inf: 0}, 0.5) is None


def test_failed_is_anything_but_a_2xx() -> None:
    assert failures({"200": 3, "204": 1, "302": 1, "422": 2, "500": 4}) == Count(7, 11)
    assert failures({}) == Count(0, 0)


@pytest.mark.parametrize(("scrapes", "longest"), [("", 0), ("111", 0), ("101001", 2), ("1000", 3), ("0001", 3)])
def test_an_absence_is_as_long_as_the_scrapes_in_a_row_that_were_not_answered(scrapes: str, longest: int) -> None:
    assert longest_absence([scrape == "1" for scrape in scrapes]) == longest
