"""What each step of a plan does, with a platform and a witness. When to do it, and what to do if it fails, is the engine's."""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import assert_never

from strategies.errors import CapacityMissing, CouldNotRun, UsageError
from strategies.events import AnyEvent, Looked, PhaseStarted, Settled
from strategies.judgement import Judgement, Verdict
from strategies.plan import Analyse, Baseline, Deploy, Drain, Hold, Promote, Retire, Route, Step
from strategies.platform import Platform
from strategies.traffic import Slot, Traffic, replicas_needed
from strategies.waiting import Clock, wait_until
from strategies.witness import Witness

LOOK_EVERY = 0.5
"""Seconds between two looks at the counts; the test is always valid, so looking costs nothing but work."""
PROBE_AFTER = 1.0
"""Seconds after which users' answers alone are not waited for any longer: probes of our own are added."""


class Performer:
    """Carries out single steps. `replicas` are those that all the traffic needs; `write` takes the events."""

    def __init__(
        self, replicas: int, *, platform: Platform, witness: Witness, write: Callable[[AnyEvent], None], clock: Clock, timeout: float
    ) -> None:
        self._replicas = replicas
        self._platform = platform
        self._witness = witness
        self._write = write
        self._clock = clock
        self._timeout = timeout
        self._analysed_since: datetime | None = None

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
                self._drain(slot, way_back=way_back)
            case Retire(slot):
                self._platform.retire(slot)
            case _:
                assert_never(step)
        return None

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
        needed = replicas_needed(self._replicas, traffic.weight)
        ready = self._platform.observe().slots[traffic.candidate].ready
        if ready < needed:
            raise CapacityMissing(f"a weight of {traffic.weight} % needs {needed} ready replicas in {traffic.candidate}, and {ready} are")

    def _analyse(self, seconds: float) -> Judgement | None:
        traffic = self._traffic()
        if traffic is None:
            raise UsageError("nothing is routed, so nothing can be analysed")
        since, deadline = self._clock.now(), self._clock.monotonic() + seconds
        self._analysed_since = since
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
        self.hear_second_witness()
        return None

    def _drain(self, slot: Slot, *, way_back: bool) -> None:
        if not way_back:
            self._phase("drain", self._traffic())
        wait_until(
            lambda: self._platform.observe().slots[slot].in_flight == 0,
            timeout=self._timeout,
            clock=self._clock,
            reason=lambda: f"{slot} still has requests in flight",
        )

    def _traffic(self) -> Traffic | None:
        return self._platform.observe().traffic

    def _phase(self, name: str, traffic: Traffic | None) -> None:
        self._write(PhaseStarted(at=self._clock.now(), name=name, weight=traffic.weight if traffic else 0))
