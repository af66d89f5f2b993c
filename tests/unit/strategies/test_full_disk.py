"""A record that cannot be written any more: users end where they are safe, and a later `labctl` finds nothing it could harm."""

from collections.abc import Iterable

import pytest

from strategies.errors import StoreRefused
from strategies.events import Ended, Outcome
from strategies.judgement import Verdict
from tests.unit.strategies.rollout import ROUTE_BACK, Rollout, changes_of_each_way_back


def good() -> Rollout:
    return Rollout()


def bad() -> Rollout:
    rollout = Rollout()
    rollout.witness.verdicts = {10: Verdict.FAIL}
    return rollout


def writes_of(rollout: Rollout) -> Iterable[int]:
    rollout.run()
    return range(1, rollout.journal.writes + 1)


ERRORS = pytest.mark.parametrize(
    "error",
    [
        StoreRefused,
        # whoever shows the events may fail too: a closed terminal, a pipe that nobody reads
        BrokenPipeError,
    ],
)


@ERRORS
@pytest.mark.parametrize("write", writes_of(good()))
def test_a_disk_that_fills_up_leads_back_before_promotion_and_to_the_end_after_it(write: int, error: type[Exception]) -> None:
    rollout = good()
    rollout.journal.refuse_from, rollout.journal.error = write, error

    ended = rollout.run()

    assert ended.left == ""
    if rollout.promoted:
        assert (ended.outcome, ended.exit_code) == (Outcome.PROMOTED, 0)
        assert rollout.platform.state() == rollout.candidate_alone
    else:
        assert (ended.outcome, ended.exit_code) == (Outcome.ERROR, 3)
        assert "no space left on device" in ended.reason
        assert rollout.platform.state() == rollout.stable_alone
        assert [changes[0] for changes in changes_of_each_way_back(rollout.story)] == [ROUTE_BACK]
    assert rollout.platform.broken == []


@ERRORS
@pytest.mark.parametrize("write", writes_of(bad()))
def test_a_disk_that_fills_up_does_not_keep_users_at_a_bad_candidate(write: int, error: type[Exception]) -> None:
    rollout = bad()
    rollout.journal.refuse_from, rollout.journal.error = write, error

    ended = rollout.run()

    assert ended.left == ""
    assert ended.exit_code in {1, 3}
    assert rollout.platform.state() == rollout.stable_alone
    assert rollout.platform.broken == []


@pytest.mark.parametrize("write", writes_of(good()))
def test_what_a_full_disk_did_not_record_is_not_built_upon_once_it_has_room(write: int) -> None:
    """The record ends in the middle of the run, the way back is not in it: resumed, nothing is routed to a slot that is empty."""
    rollout = good()
    rollout.journal.refuse_from = write
    rollout.run()
    rollout.journal.refuse_from = None

    ended = rollout.resume()

    assert rollout.platform.broken == []
    assert ended.left == ""
    assert rollout.platform.state() == (rollout.candidate_alone if rollout.promoted else rollout.stable_alone)
    assert rollout.journal.events[-1] == ended


def test_the_disk_that_is_full_at_the_very_end_does_not_change_how_it_ended() -> None:
    rollout = good()
    *_, last = writes_of(good())
    rollout.journal.refuse_from = last

    ended = rollout.run()

    assert (ended.outcome, ended.exit_code) == (Outcome.PROMOTED, 0)
    assert not any(isinstance(event, Ended) for event in rollout.journal.events)
