"""A canary of v2 in virtual time: the world that outlives each labctl, and one labctl after the other that works on it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

from strategies.canary import CanaryOptions, canary
from strategies.engine import Engine
from strategies.errors import Interrupted, LabError
from strategies.events import AnyEvent, Ended, Ending, StepEnded, StepStarted, ending_of
from strategies.plan import Plan, Promote
from strategies.platform import SlotState, State
from strategies.steering import undone
from strategies.traffic import Slot, Traffic
from tests.fakes import Call, FakeClock, FakePlatform, FakeWitness, Killed, ListJournal, Story, Words

TIMEOUT = 10.0
OPTIONS = CanaryOptions(to_version="v2", stable=Slot.BLUE, weights=(10,), replicas=3, hold=2.0, baseline=1.0, keep=1.0)
ROUTE_BACK = ("route", Traffic(stable=Slot.BLUE))


@dataclass(frozen=True)
class Kill:
    """A labctl dies at its `write`-th write from its start, and another one is sent after it."""

    write: int
    after: bool
    then_abort: bool


class Rollout:
    """A run and its world. Set faults, verdicts and points of interruption on its parts, then `run()`.

    Attributes:
        story: calls of the platform and writes of the journal in one order.
        guard: what tells whether somebody else has changed the routes; nobody has.
    """

    def __init__(self, options: CanaryOptions = OPTIONS, plan: Plan | None = None) -> None:
        self.options = options
        self.plan = plan or canary(options)
        self.words = Words()
        self.guard: Callable[[], None] = lambda: None
        self.story: Story = []
        self.clock = FakeClock()
        self.platform = FakePlatform(self.clock, replicas=options.replicas, stable=options.stable, timeout=TIMEOUT, story=self.story)
        self.witness = FakeWitness(self.clock)
        self.journal = ListJournal(self.story)

    def run(self, first: int = 0) -> Ended:
        """`labctl rollout canary`, or what it does from step `first` on."""
        return self._engine().run(first)

    def resume(self) -> Ended:
        """`labctl resume`, in another process."""
        self.clock.restart()
        first = first_open_step(self.journal.events)
        if first is None:
            return self.give_up(ending_of(self.journal.events) or Interrupted("the run was on its way back when its labctl died"))
        return self.run(first)

    def abort(self) -> Ended:
        """`labctl abort` of a run that was left behind."""
        return self.give_up(Interrupted("labctl abort"))

    def give_up(self, error: LabError | Ending) -> Ended:
        """A labctl that ends the run as `error` says before it carried anything out."""
        self.clock.restart()
        return self._engine().give_up(error)

    def run_through(self, kills: Sequence[Kill]) -> Ended:
        """Carry it out, to the end that the last labctl comes to."""
        proceed: Callable[[], Ended] = self.run
        for kill in kills:
            self.journal.kill_at, self.journal.kill_after = self.journal.writes + kill.write, kill.after
            try:
                ended = proceed()
            except Killed:
                proceed = self.abort if kill.then_abort else self.resume
            else:
                self.journal.kill_at = None
                return ended
        self.journal.kill_at = None
        return proceed()

    @property
    def calls(self) -> list[Call]:
        """What was asked of the platform."""
        return [entry for entry in self.story if isinstance(entry, tuple)]

    @property
    def changes(self) -> list[Call]:
        """What was asked of the platform and changes it."""
        return [call for call in self.calls if call != ("observe",)]

    @property
    def stable_alone(self) -> State:
        """The old version as it was, and nothing beside it."""
        return self._alone("v1", self.options.stable)

    @property
    def candidate_alone(self) -> State:
        """The new version with all the replicas, all the traffic and the role of the stable one, and nothing beside it."""
        return self._alone(self.options.to_version, self.options.stable if self.plan.in_place else self.options.stable.other)

    @property
    def promoted(self) -> bool:
        """Whether the record says so."""
        return promoted(self.plan, self.journal.events)

    def _alone(self, version: str, slot: Slot) -> State:
        count = self.options.replicas
        serving = SlotState(version=version, replicas=count, ready=count, in_flight=1)
        return State(traffic=Traffic(stable=slot), slots={slot: serving, slot.other: SlotState()})

    def _engine(self) -> Engine:
        return Engine(
            self.plan,
            platform=self.platform,
            witness=self.witness,
            journal=self.journal,
            clock=self.clock,
            timeout=TIMEOUT,
            promoted=self.promoted,
            undone=undone(self.journal.events),
            control=self.words,
            guard=self.guard,
        )


def first_open_step(events: list[AnyEvent]) -> int | None:
    """Where `labctl resume` goes on: the first step whose end is not written; None if the run was on its way back."""
    if any(isinstance(event, StepStarted) and event.way_back for event in events):
        return None
    return max((event.index + 1 for event in events if isinstance(event, StepEnded)), default=0)


def promoted(plan: Plan, events: list[AnyEvent]) -> bool:
    """Whether the end of the promotion is written, and nobody has begun to undo it."""
    if any(isinstance(event, StepStarted) and event.way_back for event in events):
        return False
    ended = {event.index for event in events if isinstance(event, StepEnded) and not event.way_back}
    return any(isinstance(plan.steps[index], Promote) for index in ended)


def require_rolled_back(rollout: Rollout) -> None:
    """Fail unless the last thing was a complete way back."""
    changes = changes_of_each_way_back(rollout.story)[-1]
    assert [change for change, _ in groupby(changes)] == [ROUTE_BACK, ("retire", Slot.GREEN)]
    assert rollout.platform.state() == rollout.stable_alone
    assert rollout.platform.broken == []
    assert isinstance(rollout.journal.events[-1], Ended)


def changes_of_each_way_back(story: Story) -> list[list[Call]]:
    """For each time that a way back was begun, what was changed from there until it was begun again."""
    changes: list[list[Call]] = []
    for entry in story:
        if isinstance(entry, StepStarted) and entry.way_back and entry.index == 0:
            changes.append([])
        elif isinstance(entry, tuple) and entry != ("observe",) and changes:
            changes[-1].append(entry)
    return changes
