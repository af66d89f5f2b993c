"""A crash costs time and nothing else: whoever resumes reaches the end that the rollout would have come to without it."""

from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from strategies.canary import CanaryOptions
from strategies.events import Ended, PhaseStarted
from strategies.judgement import Verdict
from strategies.plan import Plan, Release, Subject
from strategies.steering import Command
from strategies.traffic import Slot
from tests.fakes import Killed
from tests.unit.strategies.rollout import Rollout
from tests.unit.strategies.test_promises_of_all import plans

REPLICAS = 2


def world(plan: Plan, verdict: Verdict, *, winner: bool, undone: bool) -> Rollout:
    """A rollout with nothing wrong but, maybe, its candidate; a person says to go on at each gate, and `undone` to undo the promotion."""
    rollout = Rollout(CanaryOptions(to_version="v2", stable=Slot.BLUE, replicas=REPLICAS), plan)
    rollout.witness.verdicts = dict.fromkeys(range(1, 101), verdict)
    rollout.witness.subjects = dict.fromkeys(Subject, verdict)
    rollout.witness.winner = winner

    def say() -> None:
        phase = next((event.name for event in reversed(rollout.journal.events) if isinstance(event, PhaseStarted)), "")
        if phase == "gate":
            rollout.words.say(Command.PROMOTE)
        if phase == "promoted" and undone:
            rollout.words.say(Command.UNDO)

    rollout.clock.watchers.append(say)
    return rollout


def resumed(rollout: Rollout) -> Ended:
    """The end that the last of several labctls comes to; one that was killed once the end was written leaves nothing to resume."""
    rollout.journal.kill_at = rollout.clock.kill_at = None
    last = rollout.journal.events[-1] if rollout.journal.events else None
    return last if isinstance(last, Ended) else rollout.resume()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    plan=plans(Release(version="v1", replicas=REPLICAS), REPLICAS),
    verdict=st.sampled_from([Verdict.PASS, *Verdict]),
    winner=st.booleans(),
    undone=st.booleans(),
    data=st.data(),
)
def test_resume_after_a_crash_at_any_point_reaches_the_end_that_there_was_without_it(
    plan: Plan, verdict: Verdict, winner: bool, undone: bool, data: st.DataObject
) -> None:
    """Whatever the strategy, in or between two steps, on the way forward, back, or after the promotion; also twice."""
    whole = world(plan, verdict, winner=winner, undone=undone)
    expected = whole.run()
    note(f"without a crash: {expected}")
    rollout = world(plan, verdict, winner=winner, undone=undone)
    in_sleep = data.draw(st.booleans(), label="in a sleep, else at a write")
    if in_sleep:
        rollout.clock.kill_at = data.draw(st.integers(1, whole.clock.sleeps), label="sleep")
    else:
        rollout.journal.kill_at = data.draw(st.integers(1, whole.journal.writes), label="write")
        rollout.journal.kill_after = data.draw(st.booleans(), label="after it")
    again = data.draw(st.none() | st.integers(1, whole.journal.writes), label="and again after so many writes")

    try:
        ended = rollout.run()
    except Killed:
        rollout.journal.kill_at = None
        try:
            if again and not (rollout.journal.events and isinstance(rollout.journal.events[-1], Ended)):
                rollout.journal.kill_at = rollout.journal.writes + again
                ended = rollout.resume()
            else:
                ended = resumed(rollout)
        except Killed:
            ended = resumed(rollout)

    assert (ended.outcome, ended.exit_code, ended.left) == (expected.outcome, expected.exit_code, expected.left)
    assert rollout.platform.state() == whole.platform.state()
    assert rollout.platform.broken == []
    assert rollout.promoted == whole.promoted
