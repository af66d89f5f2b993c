"""The witness that the engine asks: the users' log first, Prometheus beside it.

What is judged is the users' own counts, over the same seconds for both versions while both serve, else against what
stable did in the `baseline` phase of the same run.
"""

import time
from collections.abc import Callable, Mapping
from datetime import datetime

import httpx

from impact import binomial
from impact.judge import judge
from impact.measures import percentile, sent_since
from impact.prometheus import GRACE_SECONDS, PrometheusWitness
from impact.userlog import Request, UserLog
from strategies.errors import WitnessLost
from strategies.events import ObjectiveSet, Witnessed
from strategies.judgement import Count, Judgement, Verdict
from strategies.run import JudgeOptions
from strategies.traffic import Slot, Traffic
from strategies.userlog import SLOT_HEADER
from strategies.witness import Answers

OBJECTIVE_FACTOR = 5
"""Requests slower than this many times stable's p99 in the baseline count as slow, unless an objective is given."""
PROBES_AT_ONCE = 50


class UsersWitness:
    """Implements `strategies.witness.Witness`.

    `instances` tells the ready replicas by the name that Prometheus scrapes them under; `problem` is a sentence if the
    users' process has died, else empty.
    """

    def __init__(
        self,
        log: UserLog,
        prometheus: PrometheusWitness,
        *,
        gateway: str,
        instances: Callable[[], Mapping[str, Slot]],
        problem: Callable[[], str],
        options: JudgeOptions,
        analyses: int,
    ) -> None:
        self._log = log
        self._prometheus = prometheus
        self._client = httpx.Client(base_url=gateway, timeout=5.0, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))
        self._instances = instances
        self._problem = problem
        self._options = options
        self._analyses = analyses
        self._objective = options.objective
        self._baseline: dict[str, Count] = {}
        self._ready_since: dict[str, float] = {}
        self._probed: tuple[datetime, list[Slot]] | None = None

    def baseline(self, since: datetime, until: datetime) -> ObjectiveSet | None:
        """See `strategies.witness.Witness`. Without any answer nothing is known and None is said."""
        requests = self._sent(since, until)
        latencies = [request.latency for request in requests if not request.failed]
        source = "--objective-latency"
        if self._objective is None:
            p99 = percentile(latencies, 0.99)
            if p99 is None:
                return None
            self._objective = OBJECTIVE_FACTOR * p99
            source = f"{OBJECTIVE_FACTOR} times stable's p99 of {1000 * p99:.1f} ms in the baseline"
        self._baseline = self._counts(requests)
        return ObjectiveSet(at=until, seconds=self._objective, source=source)

    def restore(self, objective: ObjectiveSet, since: datetime, until: datetime) -> None:
        """Take up the baseline of a run that is resumed."""
        self._objective = objective.seconds
        requests = self._sent(since, until)
        self._baseline = self._counts(requests)

    def answers(self, new: Traffic, old: Traffic, since: datetime, *, probe: bool) -> Answers:
        """See `strategies.witness.Witness`."""
        if self._probed is None or self._probed[0] != since:
            self._probed = (since, [])
        probed = self._probed[1]
        if probe:
            probed += self._probe()
        try:
            users = self._sent(since)
        except WitnessLost:
            # a change of routes can be seen by probes alone, and the way back must not wait for a lost log; `look` does not forgive it
            users = []
        slots = [request.slot for request in users if request.slot] + probed
        candidate = slots.count(new.candidate)
        # the shares of one and the same slot: promotion may have swapped who is stable
        shares = new.percent(new.candidate) / 100, old.percent(new.candidate) / 100
        settled = binomial.settled(candidate, len(slots), *shares)
        return Answers(settled=settled, candidate=candidate, answers=len(slots), probes=len(probed))

    def look(self, traffic: Traffic, since: datetime, *, final: bool) -> Judgement:
        """See `strategies.witness.Witness`."""
        if problem := self._problem():
            raise WitnessLost(problem)
        self._prometheus.check(self._long_ready())
        requests = self._sent(since)
        candidate = self._counts([request for request in requests if request.slot is traffic.candidate])
        stable = self._counts([request for request in requests if request.slot is traffic.stable])
        share: float | None = traffic.weight / 100
        before = self._baseline
        if traffic.percent(traffic.stable) == 0:
            # stable serves nobody now: its baseline takes its part, and is then no knowledge from before any more
            share, before, stable = None, {}, self._baseline
        pairs = {metric: (count, stable.get(metric, Count(0, 0))) for metric, count in candidate.items()}
        judgement = judge(pairs, before, self._options, self._analyses, share=share, final=final)
        if final and judgement.verdict is not Verdict.FAIL:
            return self._share(requests, traffic) or judgement
        return judgement

    def second_witness(self, since: datetime, until: datetime) -> Witnessed:
        """See `strategies.witness.Witness`."""
        requests = self._sent(since, until)
        users = {
            slot.value: Count(sum(r.failed for r in requests if r.slot is slot), sum(r.slot is slot for r in requests)) for slot in Slot
        }
        servers = {slot.value: count for slot in Slot if (count := self._prometheus.counts(slot, since, until))}
        return Witnessed(at=until, prometheus=servers, users=users)

    def _long_ready(self) -> dict[str, str]:
        """The replicas that Prometheus must have seen by now."""
        now = time.monotonic()
        ready = self._instances()
        self._ready_since = {name: self._ready_since.get(name, now) for name in ready}
        return {name: slot.value for name, slot in ready.items() if now - self._ready_since[name] >= GRACE_SECONDS}

    def _share(self, requests: list[Request], traffic: Traffic) -> Judgement | None:
        """An ERROR if the served share cannot be the intended one: then who was compared with whom is not known either."""
        slots = [request.slot for request in requests if request.slot]
        served = slots.count(traffic.candidate)
        if binomial.plausible(served, len(slots), traffic.weight / 100):
            return None
        return Judgement(
            verdict=Verdict.ERROR,
            reason=f"the candidate served {served} of {len(slots)} requests, which {traffic.weight} % cannot explain",
        )

    def _sent(self, since: datetime, until: datetime | None = None) -> list[Request]:
        """The requests sent since `since`, and before `until` if that is given, as far as they have ended."""
        self._log.poll()
        requests = sent_since(self._log.requests, since.timestamp())
        return [request for request in requests if until is None or (request.sent or 0.0) < until.timestamp()]

    def _counts(self, requests: list[Request]) -> dict[str, Count]:
        """Bad and all, by metric. Wrong counts only what was predicted; slow needs an objective."""
        good = [request for request in requests if not request.failed]
        counts = {"failed": Count(len(requests) - len(good), len(requests))}
        if self._objective is not None:
            counts["slow"] = Count(sum(request.latency > self._objective for request in requests), len(requests))
        return counts | {"wrong": Count(sum(request.wrong for request in good), len(good))}

    def _probe(self) -> list[Slot]:
        """Requests of our own, never counted as users': who answers /version."""
        answers: list[Slot] = []
        for _ in range(PROBES_AT_ONCE):
            try:
                name = self._client.get("/version").headers.get(SLOT_HEADER, "")
            except httpx.TransportError:
                continue
            if name in set(Slot):
                answers.append(Slot(name))
        return answers
