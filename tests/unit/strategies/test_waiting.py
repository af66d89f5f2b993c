"""Waiting ends with the condition, the deadline or an interruption, and with nothing else."""

import pytest

from strategies.errors import Interrupted, NotReady
from strategies.waiting import wait_until
from tests.fakes import FakeClock


def test_what_is_true_already_is_not_waited_for() -> None:
    clock = FakeClock()

    assert wait_until(lambda: True, timeout=0.0, clock=clock, reason=str) == 0.0
    assert clock.sleeps == 0


def test_it_says_how_long_it_took() -> None:
    clock = FakeClock()

    assert wait_until(lambda: clock.monotonic() >= 2.0, timeout=5.0, clock=clock, every=0.5, reason=str) == 2.0


def test_a_condition_that_comes_true_at_the_deadline_is_not_late() -> None:
    clock = FakeClock()

    assert wait_until(lambda: clock.monotonic() >= 2.0, timeout=2.0, clock=clock, every=0.5, reason=str) == 2.0


def test_after_the_deadline_the_error_says_what_was_so_then() -> None:
    clock = FakeClock()

    with pytest.raises(NotReady, match=r"^2\.0 of 3 answers \(waited 2 s\)$"):
        wait_until(lambda: False, timeout=2.0, clock=clock, every=0.5, reason=lambda: f"{clock.monotonic()} of 3 answers")


def test_an_interruption_ends_it() -> None:
    clock = FakeClock()
    clock.interrupt_at = 3

    with pytest.raises(Interrupted, match="SIGTERM received"):
        wait_until(lambda: False, timeout=60.0, clock=clock, every=0.5, reason=str)

    assert clock.monotonic() == 1.0


def test_an_error_of_the_condition_is_not_waited_out() -> None:
    def broken() -> bool:
        raise NotReady("it ended at start")

    with pytest.raises(NotReady, match=r"^it ended at start$"):
        wait_until(broken, timeout=60.0, clock=FakeClock(), reason=str)
