"""What the requests were like for those who sent them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impact.measures import downtime, percentile, rate, users_met_both
from impact.userlog import Request
from strategies.traffic import Slot

latencies = st.lists(st.floats(0, 10), min_size=1, max_size=200)


def sent(second: float, *, good: bool = True, latency: float = 0.01, late: float = 0.0, user: int = 1, version: str = "v1") -> Request:
    status, failure = (200, "") if good else (503, "status")
    return Request(second, second + late, latency, user, "id", Slot.BLUE, version, status, failure, "benign", "benign")


UNSENT = Request(1.5, None, math.nan, 1, "id", None, "", 0, "unsent", "", "benign")


@given(values=latencies, q=st.floats(0, 1))
def test_a_percentile_is_the_smallest_value_that_enough_of_them_do_not_exceed(values: list[float], q: float) -> None:
    found = percentile(values, q)

    assert found in values
    assert sum(value <= found for value in values) >= q * len(values) * (1 - 1e-12)
    assert found == min(values) or sum(value < found for value in values) < q * len(values)


def test_percentiles_that_everyone_can_count() -> None:
    hundred = [float(value) for value in range(100, 0, -1)]

    assert [percentile(hundred, q) for q in (0.0, 0.5, 0.95, 0.99, 1.0)] == [1.0, 50.0, 95.0, 99.0, 100.0]


def test_no_values_have_no_percentile() -> None:
    assert percentile([], 0.5) is None


@pytest.mark.parametrize(
    ("requests", "seconds"),
    [
        pytest.param([], 0.0, id="no request"),
        pytest.param([sent(1), sent(2)], 0.0, id="none failed"),
        pytest.param([sent(1), sent(2, good=False), sent(3), sent(4)], 1.0, id="one failed: up to the next good one"),
        pytest.param([sent(1), sent(2, good=False), sent(3, good=False), sent(7)], 5.0, id="two in a row"),
        pytest.param([sent(1, good=False), sent(2), sent(3, good=False), sent(6), sent(7, good=False), sent(8)], 3.0, id="the longest"),
        pytest.param([sent(7), sent(3, good=False), sent(1), sent(2, good=False)], 5.0, id="logged in another order"),
        pytest.param([sent(1), sent(2, good=False, latency=5), sent(3, good=False)], 5.0, id="never good again: to the last failure's end"),
        pytest.param([sent(1, good=False), UNSENT, sent(2)], 1.0, id="an unsent request neither ends nor makes it"),
        pytest.param([sent(2, late=1, good=False), sent(2.5), sent(4)], 2.0, id="in the order of sending, counted from intended times"),
    ],
)
def test_downtime_is_the_longest_time_in_which_every_request_failed(requests: list[Request], seconds: float) -> None:
    assert downtime(requests) == pytest.approx(seconds)


@given(st.lists(st.tuples(st.floats(0, 100), st.booleans(), st.floats(0, 5)), max_size=50))
def test_there_is_downtime_only_if_something_failed_and_never_more_than_was_watched(spec: list[tuple[float, bool, float]]) -> None:
    requests = [sent(second, good=good, latency=latency) for second, good, latency in spec]
    watched = max((second + latency for second, _, latency in spec), default=0.0) - min((second for second, _, _ in spec), default=0.0)

    assert 0 <= downtime(requests) <= watched + 1e-9
    assert not downtime([request for request in requests if not request.failed])


@pytest.mark.parametrize(("times", "expected"), [([], None), ([1.0], None), ([1.0, 1.0], None), ([3.0, 1.0, 2.0], 1.0)])
def test_a_rate_needs_two_times(times: list[float], expected: float | None) -> None:
    assert rate(times) == expected


def test_a_user_met_both_only_by_answers_of_different_versions() -> None:
    requests = [
        *(sent(second, user=1) for second in range(3)),
        sent(4, user=2),
        sent(5, user=2, version="v2"),
        sent(6, user=3),
        sent(7, user=3, version=""),
    ]

    assert users_met_both(requests) == 1
