"""The engine: carries out any plan on any platform, and keeps a rollout's promises on every way out.

Why one engine: order, waiting, judging and the way back are the same for every strategy, so they are written, tested
and broken on purpose once. It writes each step down before it starts and after it ended; a rollout is promoted when
the end of its `Promote` step is written, not before. Until then every way out leads back to stable; from then on an
interruption leaves the rest to be completed.
"""

import logging
from datetime import datetime
from typing import Protocol, assert_never

from strategies.errors import CapacityMissing, CouldNotRun, Interrupted, LabError, UsageError
from strategies.events import AnyEvent, Ended, Looked, Noted, Outcome, PhaseStarted, Settled, StepEnded, StepStarted
from strategies.judgement import Judgement, Verdict
from strategies.plan import Analyse, Baseline, Deploy, Drain, Hold, Plan, Promote, Retire, Route, Step, title
from strategies.platform import Platform
from strategies.traffic import Slot, Traffic, replicas_needed
from strategies.waiting import Clock, wait_until
from strategies.witness import Witness

LOOK_EVERY = 0.5
"""Seconds between two looks at the counts; the test is always valid, so looking costs nothing but work."""
PROBE_AFTER = 1.0
"""Seconds after which users' answers alone are not waited for any longer: probes of our own are added."""


class Journal(Protocol):
    """Where a run is written down; `write` returns when the event is on disk."""

    def write(self, event: AnyEvent) -> None:
        """Append one event.

        Raises:
            StoreRefused: it cannot be written.
        """


class Engine:
    """One rollout: `run()` carries out `plan` from step `first` on and says how it ended."""

    def __init__(
        self, plan: Plan, *, platform: Platform, witness: Witness, journal: Journal, clock: Clock, timeout: float, promoted: bool = False
    ) -> None:
        self._plan = plan
        self._platform = platform
        self._witness = witness
        self._journal = journal
        self._clock = clock
        self._timeout = timeout
        self._promoted = promoted
        self._leaving = False
        self._unwitnessed: datetime | None = None

    def run(self, first: int = 0) -> Ended:
        """Carry the plan out from step `first` on; every way out ends with an `Ended` event."""
        index = first
        try:
            for index in range(first, len(self._plan.steps)):
                rejection = self._step(index)
                if rejection:
                    return self._go_back(*_outcome(rejection))
        except LabError as error:
            return self.give_up(error)
        except Exception as error:
            # a fault of our own must not leave users with a candidate that nobody judges
            logging.exception("step %d failed in a way that nobody foresaw", index)
            return self.give_up(CouldNotRun(f"the lab itself failed: {error!r}"))
        if self._promoted:
            return self._end(Outcome.PROMOTED, 0, self._promotion())
        return self._end(Outcome.COMPLETED, 0, "all steps done")

    def give_up(self, error: LabError) -> Ended:
        """End the run because of `error`: back to stable before promotion, on to the end after it."""
        interrupted = isinstance(error, Interrupted)
        if self._promoted:
            return self._complete(f"{error} after promotion, so the rest was completed" if interrupted else f"but then: {error}")
        if interrupted:
            return self._go_back(Outcome.INTERRUPTED, error.exit_code, f"{error} before promotion")
        return self._go_back(Outcome.ERROR, CouldNotRun.exit_code, str(error))

    # --- ways out ------------------------------------------------------------------------------------------------

    def _go_back(self, outcome: Outcome, exit_code: int, reason: str) -> Ended:
        left = self._persist([(index, step, True) for index, step in enumerate(self._plan.way_back)])
        if left:
            return self._end(Outcome.ERROR, 3, reason, left)
        return self._end(outcome, exit_code, f"{reason}; rolled back, stable has all the traffic" if self._plan.way_back else reason)

    def _complete(self, reason: str) -> Ended:
        after = next(index for index, step in enumerate(self._plan.steps) if isinstance(step, Promote)) + 1
        rest = list(enumerate(self._plan.steps))[after:]
        left = self._persist([(index, step, False) for index, step in rest if not isinstance(step, Hold)])
        if left:
            return self._end(Outcome.ERROR, 3, reason, left)
        return self._end(Outcome.PROMOTED, 0, f"{self._promotion()}; {reason}")

    def _persist(self, remaining: list[tuple[int, Step, bool]]) -> str:
        """Carry out steps in spite of faults that pass within the timeout; what is left to do in words, empty if all is done."""
        self._clock.shield()
        self._leaving = True
        deadline = self._clock.monotonic() + self._timeout
        while remaining:
            index, _, way_back = remaining[0]
            try:
                self._step(index, way_back=way_back)
            except Exception as error:
                # whatever it is: as long as a step of the way out is not done, users may be where they should not be
                if not isinstance(error, LabError):
                    logging.exception("a step of the way out failed in a way that nobody foresaw")
                if self._clock.monotonic() >= deadline:
                    self._note(f"gave up after {self._timeout:g} s: {error}")
                    return "; ".join(title(step) for _, step, _ in remaining)
                self._note(f"will try again: {error}")
                self._clock.sleep(0.5)
            else:
                remaining.pop(0)
        return ""

    def _end(self, outcome: Outcome, exit_code: int, reason: str, left: str = "") -> Ended:
        self._leaving = True
        if self._unwitnessed:
            try:
                self._ask_second_witness(self._unwitnessed)
            except Exception as error:
                # how the run ended is known already, and no witness changes it
                if not isinstance(error, LabError):
                    logging.exception("the second witness failed in a way that nobody foresaw")
                self._note(f"the second witness did not answer: {error}")
        ended = Ended(at=self._clock.now(), outcome=outcome, exit_code=exit_code, reason=reason, left=left)
        self._write(ended)
        return ended

    def _promotion(self) -> str:
        """What was promoted, in words."""
        deployed = [step for step in self._plan.steps if isinstance(step, Deploy)]
        return f"{deployed[-1].release.version} is stable now, in {deployed[-1].slot}" if deployed else "promoted"

    # --- steps ---------------------------------------------------------------------------------------------------

    def _step(self, index: int, *, way_back: bool = False) -> Judgement | None:
        """Carry out one step; a judgement only if it forbids to go on."""
        step = (self._plan.way_back if way_back else self._plan.steps)[index]
        self._write(StepStarted(at=self._clock.now(), index=index, title=title(step), way_back=way_back))
        rejection = self._perform(step, way_back=way_back)
        if rejection is None:
            self._write(StepEnded(at=self._clock.now(), index=index, way_back=way_back))
            # only now: what is not on disk did not happen
            self._promoted = self._promoted or isinstance(step, Promote)
        return rejection

    def _perform(self, step: Step, *, way_back: bool) -> Judgement | None:
        match step:
            case Baseline(seconds):
                self._baseline(seconds)
            case Deploy(slot, release):
                self._phase(f"deploy {release.version} ×{release.replicas}", self._traffic())
                self._platform.deploy(slot, release)
            case Route(traffic):
                self._route(traffic, way_back=way_back)
            case Analyse(seconds):
                return self._analyse(seconds)
            case Promote(slot):
                self._promote(slot)
            case Hold(seconds, phase):
                self._phase(phase, self._traffic())
                self._clock.sleep(seconds)
            case Drain(slot):
                self._drain(slot)
            case Retire(slot):
                self._platform.retire(slot)
            case _:
                assert_never(step)
        return None

    def _baseline(self, seconds: float) -> None:
        self._phase("baseline", self._traffic())
        since = self._clock.now()
        self._clock.sleep(seconds)
        objective = self._witness.baseline(since, self._clock.now())
        if objective:
            self._write(objective)

    def _route(self, traffic: Traffic, *, way_back: bool) -> None:
        old = self._traffic_before(traffic, way_back=way_back)
        if not way_back:
            self._require_capacity(traffic)
        self._phase("way back" if way_back else f"{traffic.weight} %", traffic)
        start = self._clock.monotonic()
        self._platform.route(traffic)
        since = self._clock.now()
        answers = self._witness.answers(traffic, old, since, probe=False)

        def settled() -> bool:
            nonlocal answers
            probe = self._clock.monotonic() - start > PROBE_AFTER
            answers = self._witness.answers(traffic, old, since, probe=probe)
            return answers.settled

        wait_until(
            settled,
            timeout=self._timeout,
            clock=self._clock,
            reason=lambda: (
                f"the weight was set to {traffic.weight} %, but {answers.candidate} of {answers.answers} answers since came from the "
                "candidate; see whether something else changes the routes"
            ),
        )
        self._write(
            Settled(
                at=self._clock.now(),
                weight=traffic.weight,
                seconds=self._clock.monotonic() - start,
                candidate=answers.candidate,
                answers=answers.answers,
                probes=answers.probes,
            )
        )

    def _traffic_before(self, traffic: Traffic, *, way_back: bool) -> Traffic:
        """What the routes were. On the way back nobody waits for a platform that cannot tell: the weight is set to 0 all the same."""
        try:
            return self._traffic() or traffic
        except Exception:
            if not way_back:
                raise
            logging.exception("the way back begins without knowing where it begins")
            return traffic

    def _promote(self, slot: Slot) -> None:
        """Move the role to a slot that has all the traffic already; one that lost it since was not judged to be left alone."""
        traffic = self._traffic()
        if traffic is None or traffic.percent(slot) != 100:
            raise CouldNotRun(f"{slot} does not have all the traffic, so it is not promoted; something else has changed the routes")
        self._platform.route(Traffic(stable=slot))

    def _require_capacity(self, traffic: Traffic) -> None:
        """No ready replica, no weight. Stable's own readiness never blocks the way forward: a broken stable is why one goes there."""
        needed = replicas_needed(self._plan.replicas, traffic.weight)
        ready = self._platform.observe().slots[traffic.candidate].ready
        if ready < needed:
            raise CapacityMissing(f"a weight of {traffic.weight} % needs {needed} ready replicas in {traffic.candidate}, and {ready} are")

    def _analyse(self, seconds: float) -> Judgement | None:
        traffic = self._traffic()
        if traffic is None:
            raise UsageError("nothing is routed, so nothing can be analysed")
        since, deadline = self._clock.now(), self._clock.monotonic() + seconds
        self._unwitnessed = since
        final = False
        while not final:
            self._clock.sleep(max(0.0, min(LOOK_EVERY, deadline - self._clock.monotonic())))
            final = self._clock.monotonic() >= deadline
            judgement = self._witness.look(traffic, since, final=final)
            self._write(Looked(at=self._clock.now(), judgement=judgement))
            if judgement.verdict in {Verdict.FAIL, Verdict.ERROR}:
                return judgement
        if judgement.verdict is not Verdict.PASS:
            return judgement
        self._ask_second_witness(since)
        return None

    def _ask_second_witness(self, since: datetime) -> None:
        self._unwitnessed = None
        self._write(self._witness.second_witness(since, self._clock.now()))

    def _drain(self, slot: Slot) -> None:
        if not self._leaving:
            self._phase("drain", self._traffic())
        wait_until(
            lambda: self._platform.observe().slots[slot].in_flight == 0,
            timeout=self._timeout,
            clock=self._clock,
            reason=lambda: f"{slot} still has requests in flight",
        )

    # --- small words ---------------------------------------------------------------------------------------------

    def _traffic(self) -> Traffic | None:
        return self._platform.observe().traffic

    def _phase(self, name: str, traffic: Traffic | None) -> None:
        self._write(PhaseStarted(at=self._clock.now(), name=name, weight=traffic.weight if traffic else 0))

    def _note(self, text: str) -> None:
        self._write(Noted(at=self._clock.now(), text=text))

    def _write(self, event: AnyEvent) -> None:
        """Write an event down. On the way out no full disk and no closed terminal may keep users at a candidate that nobody judges."""
        try:
            self._journal.write(event)
        except Exception:
            if not self._leaving:
                raise
            logging.exception("not written down: %r", event)


def _outcome(judgement: Judgement) -> tuple[Outcome, int, str]:
    """How a run ends whose analysis does not allow to go on."""
    match judgement.verdict:
        case Verdict.FAIL:
            return Outcome.ROLLED_BACK, 1, judgement.reason
        case Verdict.ERROR:
            return Outcome.ERROR, 3, judgement.reason
        case _:
            return Outcome.INCONCLUSIVE, 3, judgement.reason
