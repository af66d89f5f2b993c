"""What each step of a plan does, with a platform and a witness. When to do it, and what to do if it fails, is the engine's."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from math import inf
from typing import assert_never

from strategies.errors import CapacityMissing, CouldNotRun, UsageError
from strategies.events import AnyEvent, Looked, Noted, PhaseStarted, Settled
from strategies.judgement import Judgement, Verdict
from strategies.plan import (
    Analyse,
    Baseline,
    Deploy,
    Drain,
    Gate,
    Hold,
    Plan,
    Promote,
    Replace,
    Replacement,
    Retire,
    Route,
    Step,
    Subject,
)
from strategies.platform import Platform
from strategies.steering import Control, Steering
from strategies.traffic import Slot, Traffic, replicas_needed
from strategies.waiting import Clock, wait_until
from strategies.witness import Witness

LOOK_EVERY = 0.5
"""Seconds between two looks at the counts; the test is always valid, so looking costs nothing but work."""
PROBE_AFTER = 1.0
"""Seconds after which users' answers alone are not waited for any longer: probes of our own are added."""


class Rejected(Exception):
    """An exchange was judged bad while it was under way."""

    def __init__(self, judgement: Judgement) -> None:
        super().__init__(judgement.reason)
        self.judgement = judgement


class Watched:
    """What is being judged: `of` whom, sent since when, under which traffic."""

    def __init__(self, since: datetime, of: Subject, traffic: Traffic) -> None:
        self.since, self.of, self.traffic = since, of, traffic


class Performer:
    """Carries out single steps of `plan`; `write` takes the events.

    Attributes:
        found: what the last analysis said, in a sentence; empty before the first.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        platform: Platform,
        witness: Witness,
        write: Callable[[AnyEvent], None],
        clock: Clock,
        timeout: float,
        control: Control,
    ) -> None:
        self._plan = plan
        self._platform = platform
        self._witness = witness
        self._write = write
        self._clock = clock
        self._timeout = timeout
        self._steering = Steering(control, lambda text: write(Noted(at=clock.now(), text=text)))
        self._analysed_since: datetime | None = None
        self._watched: Watched | None = None
        self.found = ""

    def perform(self, step: Step, *, way_back: bool) -> Judgement | None:
        """Carry out one step; a judgement only if it forbids to go on.

        Raises:
            LabError: it cannot be made true.
        """
        match step:
            case Baseline(seconds):
                self._baseline(seconds)
            case Deploy(slot, release):
                self._phase(f"deploy {release.version} ×{release.replicas}", self._traffic())
                self._platform.deploy(slot, release)
            case Replace():
                return self._replace(step, way_back=way_back)
            case Route(traffic):
                self._watched = None
                self._route(traffic, way_back=way_back)
            case Analyse():
                return self._analyse(step)
            case Gate():
                self._phase("gate", self._traffic())
                return self._wait(None)
            case Promote(slot):
                self._promote(slot)
            case Hold(seconds, phase):
                self._phase(phase, self._traffic())
                self._watched = None
                self._wait(seconds)
            case Drain(slot):
                self._drain(slot, way_back=way_back)
            case Retire(slot):
                self._retire(slot)
            case _:
                assert_never(step)
        return None

    def wait_while_paused(self, upcoming: Sequence[Step]) -> Judgement | None:
        """Before `upcoming`, stay as long as a person wants to; the candidate is judged on. A judgement only if it forbids to go on.

        An analysis waits by itself: a candidate that has just got its share is judged also while paused.

        Raises:
            LabError: the candidate cannot be judged any more.
        """
        self._steering.hear()
        waits_itself = any(isinstance(step, Analyse | Gate | Hold) for step in upcoming)
        return self._wait(0.0) if self._steering.paused and not waits_itself else None

    def hear_second_witness(self) -> None:
        """Write down what Prometheus counted during the last analysis, once.

        Raises:
            WitnessLost: it cannot be asked.
        """
        since, self._analysed_since = self._analysed_since, None
        if since:
            self._write(self._witness.second_witness(since, self._clock.now()))

    def _baseline(self, seconds: float) -> None:
        self._phase("baseline", self._traffic())
        since = self._clock.now()
        self._clock.sleep(seconds)
        objective = self._witness.baseline(since, self._clock.now())
        if objective:
            self._write(objective)

    def _replace(self, step: Replace, *, way_back: bool) -> Judgement | None:
        traffic = self._traffic() if not way_back else None
        self._phase("way back" if way_back else f"exchange for {step.release.version}", traffic)
        since, last = self._clock.now(), self._clock.monotonic()

        def look() -> None:
            nonlocal last
            if traffic is None or self._clock.monotonic() - last < LOOK_EVERY:
                return
            last = self._clock.monotonic()
            judgement = self._witness.look(traffic, since, final=False, of=Subject.EXCHANGE)
            self._write(Looked(at=self._clock.now(), judgement=judgement))
            if judgement.verdict is Verdict.FAIL:
                raise Rejected(judgement)

        # recreated, nobody is answered for a while and then by the new version alone: nothing to compare before the analysis
        watching = step.how is Replacement.ROLLING and not way_back
        try:
            self._platform.replace(step, look if watching else lambda: None)
        except Rejected as rejected:
            return rejected.judgement
        return None

    def _route(self, traffic: Traffic, *, way_back: bool) -> None:
        old = self._traffic_before(traffic, way_back=way_back)
        if traffic.needed:
            self._require_capacity(traffic)
        else:
            self._stand_stable_up(traffic)
        self._phase("way back" if way_back else traffic.in_words(), traffic)
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
                f"the candidate was to get {traffic.in_words()}, but {answers.candidate} of {answers.answers} answers since came from it; "
                "see whether something else changes the routes"
            ),
        )
        self._write(
            Settled(
                at=self._clock.now(),
                weight=traffic.intended,
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
        needed = replicas_needed(self._plan.replicas, traffic.needed)
        ready = self._platform.observe().slots[traffic.candidate].ready
        if ready < needed:
            raise CapacityMissing(f"to get {traffic.in_words()} takes {needed} ready replicas in {traffic.candidate}, and {ready} are")

    def _stand_stable_up(self, traffic: Traffic) -> None:
        """Before everybody is sent back to a slot in which nobody is ready while the candidate is, start what ran there.

        Without it the way back would lead to a dead end and then retire the only version that answers.
        """
        try:
            slots = self._platform.observe().slots
        except Exception:
            logging.exception("the way back begins without knowing whether stable is ready")
            return
        if self._plan.before and not slots[traffic.stable].ready and slots[traffic.candidate].ready:
            self._write(Noted(at=self._clock.now(), text=f"no replica of {traffic.stable} is ready, so it is started before the way back"))
            self._platform.deploy(traffic.stable, self._plan.before)

    def _analyse(self, step: Analyse) -> Judgement | None:
        traffic = self._traffic()
        if traffic is None:
            raise UsageError("nothing is routed, so nothing can be analysed")
        if step.of is Subject.IN_PLACE:
            # the exchange was a phase of its own, and what users met during it is not what they meet now
            self._phase("after", traffic)
        self._watched = Watched(self._clock.now(), step.of, traffic)
        self._analysed_since = self._watched.since
        judgement = self._wait(step.seconds, final=True)
        if judgement is None:
            self._write(Noted(at=self._clock.now(), text="the rest of the analysis was not waited for, as a person asked"))
        elif judgement.verdict is not Verdict.PASS or (step.needs_winner and not judgement.winner):
            return judgement
        else:
            self.found = judgement.reason
        self.hear_second_witness()
        return None

    def _wait(self, seconds: float | None, *, final: bool = False) -> Judgement | None:
        """Let `seconds` pass (None: until a person says so), judging meanwhile what is watched. While paused, time stands still.

        Returns:
            With `final`, the last judgement, or None if a person did not want to wait for it; else only one that forbids to go on.
        """
        self._steering.begin()
        deadline = inf if seconds is None else self._clock.monotonic() + seconds
        last = False
        while not last:
            self._steering.hear()
            now = self._clock.monotonic()
            if self._steering.goes_on() or (not final and now >= deadline and not self._steering.paused):
                return None
            self._clock.sleep(LOOK_EVERY if self._steering.paused else max(0.0, min(LOOK_EVERY, deadline - now)))
            if self._steering.paused:
                deadline += self._clock.monotonic() - now
            last = final and self._clock.monotonic() >= deadline and not self._steering.paused
            judgement = self._look(final=last)
            if judgement and (judgement.verdict in {Verdict.FAIL, Verdict.ERROR} or (final and judgement.verdict is Verdict.PASS)):
                return judgement
        return judgement

    def _look(self, *, final: bool) -> Judgement | None:
        if self._watched is None:
            return None
        judgement = self._witness.look(self._watched.traffic, self._watched.since, final=final, of=self._watched.of)
        self._write(Looked(at=self._clock.now(), judgement=judgement))
        return judgement

    def _drain(self, slot: Slot, *, way_back: bool) -> None:
        if not way_back:
            self._phase("drain", self._traffic())
        wait_until(
            lambda: self._platform.observe().slots[slot].in_flight == 0,
            timeout=self._timeout,
            clock=self._clock,
            reason=lambda: f"{slot} still has requests in flight",
        )

    def _retire(self, slot: Slot) -> None:
        """Stop what runs in `slot`, unless nobody else could answer: the last that is ready is kept, whatever its version."""
        slots = self._platform.observe().slots
        if slots[slot].ready and not slots[slot.other].ready:
            raise CapacityMissing(f"{slot} is not stopped, as it is the only slot with a ready replica; start {slot.other} again first")
        self._platform.retire(slot)

    def _traffic(self) -> Traffic | None:
        return self._platform.observe().traffic

    def _phase(self, name: str, traffic: Traffic | None) -> None:
        self._write(PhaseStarted(at=self._clock.now(), name=name, weight=traffic.intended if traffic else 0))
