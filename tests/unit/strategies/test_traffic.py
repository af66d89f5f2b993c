"""Who gets a request, and how many replicas that needs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.traffic import Role, Slot, Traffic, replicas_needed


def test_the_slots_are_beside_each_other() -> None:
    assert [slot.other for slot in Slot] == [Slot.GREEN, Slot.BLUE]


@pytest.mark.parametrize("weight", [-1, 101])
def test_a_weight_is_0_to_100_percent(weight: int) -> None:
    with pytest.raises(ValueError, match=f"0 to 100 percent, not {weight}"):
        Traffic(stable=Slot.BLUE, weight=weight)


@given(st.sampled_from(Slot), st.integers(0, 100))
def test_every_request_goes_to_one_of_the_slots(stable: Slot, weight: int) -> None:
    traffic = Traffic(stable=stable, weight=weight)

    assert (traffic.percent(traffic.candidate), traffic.percent(stable)) == (weight, 100 - weight)
    assert (traffic.role(traffic.candidate), traffic.role(stable)) == (Role.CANDIDATE, Role.STABLE)


@pytest.mark.parametrize(
    ("replicas", "percent", "needed"),
    [
        (1, 0, 0),
        (1, 1, 1),
        (1, 100, 1),
        (2, 50, 1),
        (2, 51, 2),
        (10, 10, 1),
        (10, 11, 2),
        (10, 99, 10),
        (100, 7, 7),
        (100, 29, 29),
        (3, 100, 3),
    ],
)
def test_replicas_needed(replicas: int, percent: int, needed: int) -> None:
    assert replicas_needed(replicas, percent) == needed


@given(st.integers(1, 1000), st.integers(0, 100))
def test_replicas_needed_is_the_least_number_that_carries_the_share(replicas: int, percent: int) -> None:
    needed = replicas_needed(replicas, percent)

    assert 100 * (needed - 1) < replicas * percent <= 100 * needed
