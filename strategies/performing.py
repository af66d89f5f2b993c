"""What each step of a plan does, with a platform and a witness. When to do it, and what to do if it fails, is the engine's."""

import logging
from collections.abc import Callable
from typing import assert_never

from strategies.errors import CapacityMissing, CouldNotRun, UsageError
from strategies.events import AnyEvent, Looked, Noted, PhaseStarted, Settled
from strategies.judgement import Judgement, Verdict
from strategies.judging import LOOK_EVERY, Judging
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
from strategies.traffic import Slot, Traffic, replicas_needed
from strategies.waiting import Clock, wait_until
from strategies.witness import Witness

PROBE_AFTER = 1.0
"""Seconds after which users' answers alone are not waited for any longer: probes of our own are added."""


class Rejected(Exception):
    """An exchange was judged bad while it was under way."""

    def __init__(self, judgement: Judgement) -> None:
        super().__init__(judgement.reason)
        self.judgement = judgement


class Performer:
    """Carries out single steps of `plan`; `write` takes the events, `judging` does all waiting."""

    def __init__(
        self,
        plan: Plan,
        *,
        platform: Platform,
        witness: Witness,
        write: Callable[[AnyEvent], None],
        clock: Clock,
        timeout: float,
        judging: Judging,
    ) -> None:
        self._plan = plan
        self._platform = platform
        self._witness = witness
        self._write = write
        self._clock = clock
        self._timeout = timeout
        self._judging = judging

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
                self._judging.forget()
                self._route(traffic, way_back=way_back)
            case Analyse():
                return self._analyse(step)
            case Gate():
                self._phase("gate", self._traffic())
                return self._judging.wait(None)
            case Promote(slot):
                self._promote(slot)
            case Hold(seconds, phase):
                self._phase(phase, self._traffic())
                self._judging.keep(seconds)
            case Drain(slot):
                self._drain(slot, way_back=way_back)
            case Retire(slot):
                self._retire(slot)
            case _:
                assert_never(step)
        return None

    def _baseline(self, seconds: float) -> None:
        self._phase("baseline", self._traffic())
        since = self._clock.now()
        self._judging.watch_stable(seconds)
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
        # a cookie that is being taken back is so also from those who come only now
        self._platform.route(Traffic(stable=slot, forget=traffic.forget))

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
        return self._judging.analyse(step, traffic)

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
