"""A world in memory for the engine: time, a platform, the users' witness and a journal, each a small real class.

Nothing sleeps for real. The platform takes what Envoy would take, also what a rollout has promised never to ask for: that
is written down in `FakePlatform.broken`, which must be empty at the end of every test that performs a rollout.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import inf

from strategies.errors import CouldNotRun, Interrupted, StoreRefused, TakenOver, ToolFailed, WitnessLost
from strategies.events import AnyEvent, ObjectiveSet, Witnessed
from strategies.judgement import Judgement, Verdict
from strategies.plan import Release, Replace, Replacement, Subject
from strategies.platform import SlotState, State
from strategies.steering import Command
from strategies.traffic import Slot, Traffic, replicas_needed
from strategies.waiting import wait_until
from strategies.witness import Answers

Call = tuple[object, ...]
"""A verb and its arguments."""
Story = list[Call | AnyEvent]
"""Calls and writes in the order in which they were tried, whether or not they succeeded."""


class Killed(BaseException):
    """The process is gone, as after kill -9: nothing in it may catch this."""


class FakeClock:
    """Implements `strategies.waiting.Clock`: only sleeping lets time pass.

    Attributes:
        sleeps: how many there were.
        interrupt_at: the number (from 1) of the sleep before which a signal arrives.
        kill_at: the number of the sleep in which the process is killed.
        watchers: are called at each sleep.
    """

    def __init__(self) -> None:
        self.sleeps = 0
        self.interrupt_at: int | None = None
        self.kill_at: int | None = None
        self.watchers: list[Callable[[], None]] = []
        self._seconds = 0.0
        self._shielded = False

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self._seconds)

    def monotonic(self) -> float:
        return self._seconds

    def sleep(self, seconds: float) -> None:
        """Let time pass at once; a signal is heard at this sleep or the next that is not shielded."""
        self.sleeps += 1
        for watch in self.watchers:
            watch()
        if self.kill_at == self.sleeps:
            raise Killed
        if self.interrupt_at is not None and self.sleeps >= self.interrupt_at and not self._shielded:
            raise Interrupted("SIGTERM received")
        self._seconds += seconds

    def shield(self) -> None:
        self._shielded = True

    def restart(self) -> None:
        """Time goes on in another process: no shield, and nobody asked that one to end."""
        self._shielded = False
        self.interrupt_at = self.kill_at = None


@dataclass
class Fault:
    """A verb that fails.

    Attributes:
        verb: "deploy", "replace", "route", "retire" or "observe".
        nth: the first call (from 1) that fails.
        lasts: virtual seconds from then on in which each call fails; 0 for that one only, `inf` for ever.
        done: the verb fails after it did its work, as when an acknowledgement is lost.
    """

    verb: str
    nth: int = 1
    error: type[Exception] = ToolFailed
    lasts: float = 0.0
    done: bool = False
    _until: float | None = field(default=None, init=False, repr=False)

    def strikes(self, verb: str, call: int, now: float) -> bool:
        """Whether this call fails."""
        if verb != self.verb:
            return False
        if self._until is None and call == self.nth:
            self._until = now + self.lasts
            return True
        return self._until is not None and now < self._until


@dataclass(eq=False)
class _Replica:
    version: str
    ready_at: float
    draining: bool = False


@dataclass
class _Place:
    """What is in a slot, and when its last request ends once it gets no more."""

    replicas: list[_Replica] = field(default_factory=list)
    busy_until: float = 0.0


class FakePlatform:
    """Implements `strategies.platform.Platform`: two slots behind a proxy that does as it is told.

    Attributes:
        story: every call, also those that failed; a journal may share it.
        broken: what was asked for against the promises of a rollout, in sentences.
        faults: may be added and removed at any time.
        start_seconds: how long a new replica takes to get ready; `inf` if it never does.
        drain_seconds: how long the last request of a slot takes that lost its traffic; `inf` if it hangs.
    """

    def __init__(
        self, clock: FakeClock, *, replicas: int, stable: Slot = Slot.BLUE, timeout: float = 10.0, story: Story | None = None
    ) -> None:
        self.story: Story = [] if story is None else story
        self.broken: list[str] = []
        self.faults: list[Fault] = []
        self.start_seconds = 2.0
        self.drain_seconds = 0.3
        self._clock = clock
        self._replicas = replicas
        self._timeout = timeout
        self._calls: dict[str, int] = {}
        self._traffic: Traffic | None = Traffic(stable=stable)
        self._places = {slot: _Place() for slot in Slot}
        self._places[stable] = _Place([_Replica("v1", 0.0) for _ in range(replicas)])

    def deploy(self, slot: Slot, release: Release) -> None:
        with self._calling("deploy", slot, release):
            place = self._places[slot]
            if any(replica.version != release.version for replica in place.replicas):
                self._stop(slot)
            if release.replicas < replicas_needed(self._replicas, self._percent(slot)):
                self.broken.append(f"{slot} was cut to {release.replicas} replicas at {self._percent(slot)} % of the traffic")
            place.replicas = [replica for replica in place.replicas if replica.ready_at < inf][: release.replicas]
            self._start(slot, release.version, release.replicas - len(place.replicas))

    def replace(self, step: Replace, meanwhile: Callable[[], None] = lambda: None) -> None:
        # replica by replica, as a Deployment does it: those that are not ready first, then as many as may be missing
        slot, release = step.slot, step.release
        with self._calling("replace", slot, release, step.how):
            replicas = self._places[slot].replicas
            if step.how is Replacement.RECREATE:
                self._drain(slot, self._old(slot, release))
                self._start(slot, release.version, release.replicas - len(replicas), meanwhile)
                return
            while (old := self._old(slot, release)) or len(replicas) < release.replicas:
                ready = [replica for replica in old if self._serves(replica)]
                spare = max(0, self._ready(slot) - (release.replicas - step.max_unavailable))
                self._drain(slot, [replica for replica in old if replica not in ready] + ready[:spare])
                new = len(replicas) - len(self._old(slot, release))
                more = min(release.replicas - new, release.replicas + step.max_surge - len(replicas))
                self._start(slot, release.version, more, meanwhile)
            self._start(slot, release.version, 0, meanwhile)

    def route(self, traffic: Traffic) -> None:
        # whoever gets more than before must be able to carry it
        with self._calling("route", traffic):
            for slot in Slot:
                before, percent = self._percent(slot), traffic.percent(slot)
                if percent > before and self._ready(slot) < replicas_needed(self._replicas, percent):
                    self.broken.append(f"{percent} % were routed to {slot}, where {self._ready(slot)} replicas are ready")
                if before and not percent:
                    self._places[slot].busy_until = self._clock.monotonic() + self.drain_seconds
            self._traffic = traffic
            self._clock.sleep(0.01)

    def retire(self, slot: Slot) -> None:
        with self._calling("retire", slot):
            self._stop(slot)

    def observe(self) -> State:
        with self._calling("observe"):
            return self.state()

    def state(self) -> State:
        """What is true, whatever the faults."""
        return State(traffic=self._traffic, slots={slot: self._slot(slot) for slot in Slot})

    def forget_routes(self) -> None:
        """The proxy has no routes, as before the first deployment."""
        self._traffic = None

    def break_down(self, slot: Slot) -> None:
        """All replicas of `slot` die."""
        place = self._places[slot]
        for replica in place.replicas:
            replica.ready_at = inf

    def _slot(self, slot: Slot) -> SlotState:
        place = self._places[slot]
        busy = bool(place.replicas) and (self._percent(slot) > 0 or self._clock.monotonic() < place.busy_until)
        version = place.replicas[0].version if place.replicas else ""
        return SlotState(version=version, replicas=len(place.replicas), ready=self._ready(slot), in_flight=int(busy))

    def _percent(self, slot: Slot) -> int:
        return self._traffic.percent(slot) if self._traffic else 0

    def _ready(self, slot: Slot) -> int:
        return sum(map(self._serves, self._places[slot].replicas))

    def _serves(self, replica: _Replica) -> bool:
        return replica.ready_at <= self._clock.monotonic() and not replica.draining

    def _old(self, slot: Slot, release: Release) -> list[_Replica]:
        """What an exchange takes away; a replica that never gets ready too, as one that was killed."""
        return [
            replica
            for replica in self._places[slot].replicas
            if replica.version != release.version or replica.ready_at == inf or replica.draining
        ]

    def _drain(self, slot: Slot, gone: list[_Replica]) -> None:
        """Give replicas nothing any more, and end them once they have answered."""
        if not gone:
            return
        for replica in gone:
            replica.draining = True
        empty = self._clock.monotonic() + self.drain_seconds
        wait_until(
            lambda: self._clock.monotonic() >= empty,
            timeout=self._timeout,
            clock=self._clock,
            reason=lambda: f"{len(gone)} replicas in {slot} still have requests in flight",
        )
        for replica in gone:
            self._places[slot].replicas.remove(replica)

    def _start(self, slot: Slot, version: str, count: int, meanwhile: Callable[[], None] = lambda: None) -> None:
        replicas = self._places[slot].replicas
        replicas += [_Replica(version, self._clock.monotonic() + self.start_seconds) for _ in range(count)]
        ready_at = max(replica.ready_at for replica in replicas if replica.version == version)

        def ready() -> bool:
            meanwhile()
            return self._clock.monotonic() >= ready_at

        wait_until(
            ready,
            timeout=self._timeout,
            clock=self._clock,
            reason=lambda: f"{self._ready(slot)} of {len(replicas)} replicas in {slot} are ready",
        )

    def _stop(self, slot: Slot) -> None:
        if not self._places[slot].replicas:
            return
        if self._percent(slot) or self._slot(slot).in_flight:
            self.broken.append(f"{slot} was to be stopped with {self._percent(slot)} % of the traffic or requests in flight")
            raise CouldNotRun(self.broken[-1])
        self.break_down(slot)
        self._clock.sleep(0.05)
        self._places[slot].replicas = []

    @contextmanager
    def _calling(self, verb: str, *arguments: object) -> Iterator[None]:
        self.story.append((verb, *arguments))
        self._calls[verb] = self._calls.get(verb, 0) + 1
        fault = next((fault for fault in self.faults if fault.strikes(verb, self._calls[verb], self._clock.monotonic())), None)
        if fault and not fault.done:
            raise fault.error(f"{verb} failed")
        yield
        if fault:
            raise fault.error(f"{verb} was done and yet failed")


class FakeWitness:
    """Implements `strategies.witness.Witness` with a script.

    Attributes:
        verdicts: by candidate weight how its analysis ends, PASS where nothing is said. FAIL and ERROR are said at the second look.
        subjects: the same for analyses of others than the users of both slots.
        winner: a PASS says that the candidate is better.
        settle_seconds: how long it takes until the answers fit a change of routes.
        unsettled: the candidate weights that the answers never fit.
        idle: there are no users, so only probes tell who answers and nothing can be judged.
        lost_at: the number (from 1) of the look from which on nobody can be asked any more.
        second_error: what the second witness alone fails with.
        begin_seconds: how long it takes to have ready what a look at the preview takes.
    """

    def __init__(self, clock: FakeClock) -> None:
        self.verdicts: Mapping[int, Verdict] = {}
        self.subjects: Mapping[Subject, Verdict] = {}
        self.winner = False
        self.settle_seconds = 0.2
        self.unsettled: frozenset[int] = frozenset()
        self.idle = False
        self.lost_at: int | None = None
        self.second_error: type[Exception] | None = None
        self.begin_seconds = 0.0
        self._clock = clock
        self._looks: list[datetime] = []

    def baseline(self, since: datetime, until: datetime) -> ObjectiveSet | None:
        return None if self.idle else ObjectiveSet(at=until, seconds=0.25, source="--objective-latency")

    def answers(self, new: Traffic, old: Traffic, since: datetime, *, probe: bool) -> Answers:
        probes = 100 if probe else 0
        answers = probes + (0 if self.idle else 1000)
        waited = (self._clock.now() - since).total_seconds() >= self.settle_seconds
        settled = answers > 0 and waited and new.weight not in self.unsettled
        share = (new if settled else old).percent(new.candidate)
        return Answers(settled=settled, candidate=answers * share // 100, answers=answers, probes=probes)

    def begin(self, of: Subject) -> None:
        if of is Subject.PREVIEW:
            self._clock.sleep(self.begin_seconds)

    def look(self, traffic: Traffic, since: datetime, *, final: bool, of: Subject = Subject.USERS) -> Judgement:
        self._looks.append(since)
        self._require()
        if self.idle or (of is Subject.USERS and traffic.weight == 0):
            return Judgement(verdict=Verdict.INCONCLUSIVE, reason="the candidate got no requests")
        verdict = self.verdicts.get(traffic.weight, Verdict.PASS) if of is Subject.USERS else self.subjects.get(of, Verdict.PASS)
        if final or (verdict in {Verdict.FAIL, Verdict.ERROR} and self._looks.count(since) >= 2):
            return Judgement(verdict=verdict, reason=f"{verdict} at {traffic.weight} %", winner=self.winner)
        return Judgement(verdict=Verdict.INCONCLUSIVE, reason="no harm proved so far")

    def second_witness(self, since: datetime, until: datetime) -> Witnessed:
        self._require()
        if self.second_error:
            raise self.second_error("Prometheus does not answer")
        return Witnessed(at=until, prometheus={}, users={})

    def _require(self) -> None:
        if self.lost_at is not None and len(self._looks) >= self.lost_at:
            raise WitnessLost("the users' log cannot be read")


class Words:
    """Implements `strategies.steering.Control`: `say` is what a person does in another terminal.

    Attributes:
        taken_over: the rollout is somebody else's now.
    """

    def __init__(self) -> None:
        self._said: list[Command] = []
        self.taken_over = False

    def say(self, *commands: Command) -> None:
        self._said += commands

    def take(self) -> tuple[Command, ...]:
        if self.taken_over:
            raise TakenOver("labctl abort (pid 1 on elsewhere) has taken this rollout over")
        said, self._said = tuple(self._said), []
        return said


class ListJournal:
    """Implements `strategies.engine.Journal` in memory.

    Attributes:
        events: what is on disk.
        writes: how many were tried.
        refuse_from: the number (from 1) of the write from which on each is refused with `error`.
        kill_at: the number of the write at which the process is killed, before it or, with `kill_after`, after it.
    """

    def __init__(self, story: Story | None = None) -> None:
        self.events: list[AnyEvent] = []
        self.writes = 0
        self.refuse_from: int | None = None
        self.error: type[Exception] = StoreRefused
        self.kill_at: int | None = None
        self.kill_after = False
        self._story: Story = [] if story is None else story

    def write(self, event: AnyEvent) -> None:
        self.writes += 1
        if self.kill_at == self.writes and not self.kill_after:
            raise Killed
        self._story.append(event)
        if self.refuse_from is not None and self.writes >= self.refuse_from:
            raise self.error("events.jsonl cannot be written: no space left on device")
        self.events.append(event)
        if self.kill_at == self.writes:
            raise Killed
