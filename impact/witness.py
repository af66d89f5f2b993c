"""The witness that the engine asks: the users' log first, Prometheus beside it.

What is judged is the users' own counts, over the same seconds for both versions while both serve, else against what
stable did in the `baseline` phase of the same run.
"""

import time
from collections.abc import Callable, Mapping
from datetime import datetime

from impact import binomial
from impact.experiment_witness import ExperimentWitness, at_random
from impact.judge import judge
from impact.measures import percentile, sent_since
from impact.prediction_log import PredictionLog
from impact.prometheus import GRACE_SECONDS, PrometheusWitness
from impact.settlement import Settlement, sent
from impact.shadow_witness import ShadowWitness
from impact.sides import Sides
from impact.userlog import Request, UserLog
from strategies.errors import WitnessLost
from strategies.events import ObjectiveSet, Witnessed
from strategies.judgement import Count, Judgement, Verdict
from strategies.plan import Subject
from strategies.run import Run
from strategies.traffic import Slot, Traffic
from strategies.waiting import Clock
from strategies.witness import Answers

OBJECTIVE_FACTOR = 5
"""Requests slower than this many times stable's p99 in the baseline count as slow, unless an objective is given."""


WARM_UP = 1.0
"""Seconds of the preview's users that are not looked at."""


class UsersWitness:
    """Implements `strategies.witness.Witness`.

    Args:
        run: what is rolled out.
        log: what users met.
        prometheus: what servers counted.
        settlement: tells who answers since a change of routes.
        instances: tells the ready replicas by the name that Prometheus scrapes them under.
        problem: a sentence if the users' process has died, else empty.
        preview: the log of our own users who see the candidate's preview; starts them if they do not run yet.
        predictions: the prediction log's URL.
        analyses: how many analyses share alpha.
    """

    def __init__(
        self,
        run: Run,
        log: UserLog,
        prometheus: PrometheusWitness,
        *,
        settlement: Settlement,
        instances: Callable[[], Mapping[str, Slot]],
        problem: Callable[[], str],
        preview: Callable[[], UserLog],
        predictions: str,
        analyses: int,
        clock: Clock,
    ) -> None:
        self._run = run
        self._sides = Sides(run)
        self._log = log
        self._prometheus = prometheus
        self._settlement = settlement
        self._instances = instances
        self._problem = problem
        self._preview = preview
        self._predictions = predictions
        self._experiment: ExperimentWitness | None = None
        self._shadow: ShadowWitness | None = None
        self._options = run.judge
        self._analyses = analyses
        self._clock = clock
        self._objective = run.judge.objective
        self._before: list[Request] = []
        self._baseline: dict[str, Count] = {}
        self._ready_since: dict[str, float] = {}

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
        self._before, self._baseline = requests, self._counts(requests)
        return ObjectiveSet(at=until, seconds=self._objective, source=source)

    def restore(self, objective: ObjectiveSet, since: datetime, until: datetime) -> None:
        """Take up the baseline of a run that is resumed."""
        self._objective = objective.seconds
        self._before = self._sent(since, until)
        self._baseline = self._counts(self._before)

    def answers(self, new: Traffic, old: Traffic, since: datetime, *, probe: bool) -> Answers:
        """See `strategies.witness.Witness`."""
        return self._settlement.answers(new, old, since, sent(lambda: self._sent(since)), probe=probe)

    def begin(self, of: Subject) -> None:
        """See `strategies.witness.Witness`."""
        if of is Subject.PREVIEW:
            self._preview()

    def look(self, traffic: Traffic, since: datetime, *, final: bool, of: Subject = Subject.USERS) -> Judgement:
        """See `strategies.witness.Witness`."""
        if problem := self._problem():
            raise WitnessLost(problem)
        if of is not Subject.EXCHANGE:
            # while replicas come and go some scrapes fail, and that says nothing
            self._prometheus.check(self._long_ready())
        requests = self._sent(since)
        match of:
            case Subject.IN_PLACE:
                return self._against_before(requests, final=final)
            case Subject.EXCHANGE:
                counts = self._counts([request for request in requests if self._sides.is_candidate(request)])
                # replicas that start and end slow everybody down: that is the exchange's cost and not the new version's
                counts.pop("slow", None)
                return self._judge(counts, self._baseline, {}, share=None, final=final)
            case Subject.PREVIEW:
                return self._previewed(traffic, requests, since, final=final)
            case Subject.EXPERIMENT:
                return self._experimented(traffic, requests, since, final=final)
            case Subject.SHADOW:
                return self._shadowed(traffic, requests, since, final=final)
            case _:
                return self._side_by_side(traffic, requests, final=final)

    def _side_by_side(self, traffic: Traffic, requests: list[Request], *, final: bool) -> Judgement:
        """Both slots over the same seconds."""
        if traffic.percent(traffic.stable) == 0:
            return self._against_before([request for request in requests if request.slot is traffic.candidate], final=final)
        candidate = self._counts([request for request in requests if request.slot is traffic.candidate])
        stable = self._counts([request for request in requests if request.slot is traffic.stable])
        judgement = self._judge(candidate, stable, self._baseline, share=traffic.weight / 100, final=final)
        if final and judgement.verdict is not Verdict.FAIL:
            return self._share(requests, traffic) or judgement
        return judgement

    def _against_before(self, requests: list[Request], *, final: bool) -> Judgement:
        """Where stable serves nobody now, its baseline takes its part, and is then no knowledge from before any more."""
        return self._judge(self._counts(requests), self._baseline, {}, share=None, final=final)

    def _previewed(self, traffic: Traffic, requests: list[Request], since: datetime, *, final: bool) -> Judgement:
        """Our own users at the candidate against users at stable over the same seconds."""
        log = self._preview()
        log.poll()
        first = min((request.sent for request in log.requests if request.sent is not None), default=0.0)
        # starting our own users takes processor time from all; what was slow for that is not the candidate's
        begin = max(since.timestamp(), first + WARM_UP)
        candidate = [request for request in sent_since(log.requests, begin) if request.slot in {traffic.candidate, None}]
        stable = [request for request in requests if request.slot is traffic.stable and (request.sent or 0.0) >= begin]
        # two loads of their own: which share of the requests is the candidate's is not known before
        share = len(candidate) / (len(candidate) + len(stable)) if candidate and stable else None
        return self._judge(self._counts(candidate), self._counts(stable), self._baseline, share=share, final=final)

    def _experimented(self, traffic: Traffic, requests: list[Request], since: datetime, *, final: bool) -> Judgement:
        """Two groups of users, by the share of right answers."""
        if self._experiment is None:
            log = self._prediction_log(since)
            chosen = at_random(traffic, self._run.load)
            self._experiment = ExperimentWitness(log, self._prometheus, self._options, randomised=chosen)
        return self._experiment.look(requests[::-1], traffic, final=final)

    def _shadowed(self, traffic: Traffic, requests: list[Request], since: datetime, *, final: bool) -> Judgement:
        """Copies against the requests that they were made of."""
        if self._shadow is None:
            log = self._prediction_log(since)
            self._shadow = ShadowWitness(
                log,
                self._prometheus,
                self._options,
                traffic,
                since=since,
                before=self._before,
                alpha=self._options.alpha / self._analyses,
                clock=self._clock,
            )
        return self._shadow.look(requests, self._objective, final=final)

    def _prediction_log(self, since: datetime) -> PredictionLog:
        if not self._predictions:
            raise WitnessLost(
                "the prediction log cannot be read from here, and what each version said is not known without it; use a lab made by "
                "`labctl up`, and on a cluster that is not its own set LAB_DATABASE_ADDRESS"
            )
        return PredictionLog(self._predictions, since.timestamp())

    def _judge(
        self,
        candidate: Mapping[str, Count],
        stable: Mapping[str, Count],
        before: Mapping[str, Count],
        *,
        share: float | None,
        final: bool,
    ) -> Judgement:
        pairs = {metric: (count, stable.get(metric, Count(0, 0))) for metric, count in candidate.items()}
        return judge(pairs, before, self._options, self._analyses, share=share, final=final)

    def second_witness(self, since: datetime, until: datetime) -> Witnessed:
        """See `strategies.witness.Witness`."""
        requests = self._sent(since, until)
        users = {
            slot.value: Count(sum(r.failed for r in requests if r.slot is slot), sum(r.slot is slot for r in requests)) for slot in Slot
        }
        servers = {slot.value: count for slot in Slot if (count := self._prometheus.counts(slot, since, until))}
        copies = self._prometheus.counts(self._run.candidate, since, until, mirrored=True) if self._shadow else None
        return Witnessed(at=until, prometheus=servers, users=users, copies={self._run.candidate.value: copies} if copies else {})

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
