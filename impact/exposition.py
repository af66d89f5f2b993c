"""`labctl_rollout_*`: what a rollout intends and what its users meet, as metrics while it runs.

Fed from the run's events and the users' log. Prometheus clients of a process keep their metrics for ever; here they are made
anew for each scrape from one frozen state, so a scrape never sees half of a change, and a phase that is over is gone.
"""

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from impact.userlog import Request, UserLog
from strategies.errors import WitnessLost
from strategies.events import AnyEvent, Looked, ObjectiveSet, PhaseStarted, StepEnded, StepStarted
from strategies.judgement import Judgement
from strategies.plan import Gate, Promote
from strategies.run import Run
from strategies.traffic import Slot

KINDS = ("failed", "slow", "wrong")
NOBODY = "nobody"
"""The slot of requests that none can be charged with."""

OF_A_METRIC = {
    "evidence": ("evidence", "Logarithm of the evidence that the candidate is worse than stable by more than the margin."),
    "limit": ("evidence_limit", "The evidence from which on harm is proved."),
    "needed": ("needed_requests", "Candidate requests from which on a harm that matters would be proved."),
}
"""What a look says of each judged metric: the attribute, the metric's name and its help."""


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What the events so far say.

    Attributes:
        stable: the slot that is stable now.
        phase, weight: what users live in, and the intended share of the slot that is not stable (whole percents).
        step, title, way_back: the step under way, counted from 1.
        began: when it began, epoch seconds.
        judgement: the newest look of the analysis under way.
        verdict_since: since when the looks say what the newest says, epoch seconds.
        objective: seconds from which on a request is slow; None until it is known.
    """

    stable: Slot
    phase: str = ""
    weight: int = 0
    step: int = 0
    title: str = ""
    way_back: bool = False
    began: float = 0.0
    judgement: Judgement | None = None
    verdict_since: float = 0.0
    objective: float | None = None


def after(state: State, event: AnyEvent, run: Run) -> State:
    """The state after one more event."""
    change = msgspec.structs.replace
    match event:
        case StepStarted(at=at, index=index, title=title, way_back=way_back):
            # whoever undoes a promotion gives the role back
            stable = run.stable if way_back else state.stable
            return change(state, step=index + 1, title=title, way_back=way_back, began=at.timestamp(), stable=stable)
        case StepEnded(index=index, way_back=False) if isinstance(step := run.plan.steps[index], Promote):
            return change(state, stable=step.slot, weight=0)
        case PhaseStarted(name=name, weight=weight):
            return change(state, phase=name, weight=weight, judgement=None)
        case ObjectiveSet(seconds=seconds):
            return change(state, objective=seconds)
        case Looked(at=at, judgement=judgement):
            same = state.judgement is not None and state.judgement.verdict is judgement.verdict
            return change(state, judgement=judgement, verdict_since=state.verdict_since if same else at.timestamp())
        case _:
            return state


class Exposition(Collector):
    """The metrics of one run. `show` takes its events; the users' log in `requests` is read when somebody asks for the metrics."""

    def __init__(self, run: Run, requests: Path, events: Sequence[AnyEvent] = ()) -> None:
        self._run = run
        self._log = UserLog(requests)
        self._state = State(stable=run.stable, objective=run.judge.objective)
        self._reading = threading.Lock()
        slots = {run.stable: run.from_version, run.candidate: run.to_version}
        self._versions: dict[Slot | None, str] = {None: NOBODY, run.stable: run.from_version, run.candidate: run.to_version}
        self._requests: Counter[tuple[str, str]] = Counter({(str(slot), version): 0 for slot, version in slots.items()})
        self._bad: Counter[tuple[str, str, str]] = Counter()
        for event in events:
            self.show(event)

    def registry(self) -> CollectorRegistry:
        """A registry that holds this and nothing else: not the metrics of labctl's own process."""
        registry = CollectorRegistry()
        registry.register(self)
        return registry

    def show(self, event: AnyEvent) -> None:
        """Take an event in."""
        self._state = after(self._state, event, self._run)

    def describe(self) -> Iterable[Metric]:
        """Nothing is known beforehand; so nothing is read when it is registered."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """All metrics as they are now; may be called from another thread than `show`."""
        state = self._state
        with self._reading:
            self._read(state.objective)
            yield from self._users()
        yield from self._plan(state)
        if state.judgement:
            yield from self._verdict(state, state.judgement)

    def _read(self, objective: float | None) -> None:
        # a log that cannot be read ends the rollout elsewhere; what was counted until then stays
        with suppress(WitnessLost):
            for request in self._log.poll():
                if request.sent is not None:
                    self._count(request, objective)
        # they are counted, and a long run has many
        self._log.requests.clear()

    def _count(self, request: Request, objective: float | None) -> None:
        who = (str(request.slot or NOBODY), request.version or self._versions[request.slot])
        self._requests[who] += 1
        for kind, bad in zip(KINDS, (request.failed, objective is not None and request.latency > objective, request.wrong), strict=True):
            self._bad[*who, kind] += bad

    def _users(self) -> Iterator[Metric]:
        requests = CounterMetricFamily(
            "labctl_rollout_users_requests", "Requests that users sent, by the slot charged.", labels=("run", "slot", "version")
        )
        bad = CounterMetricFamily(
            "labctl_rollout_users_bad",
            "Those of them that failed, took longer than the objective (counted since it is known) or got a wrong answer.",
            labels=("run", "slot", "version", "kind"),
        )
        for who, number in self._requests.items():
            requests.add_metric((self._run.id, *who), number)
            for kind in KINDS:
                bad.add_metric((self._run.id, *who, kind), self._bad[*who, kind])
        yield requests
        yield bad

    def _plan(self, state: State) -> Iterator[Metric]:
        run, steps = self._run, self._run.plan.way_back if state.way_back else self._run.plan.steps
        yield _gauge(
            "info",
            "The rollout under way; always 1.",
            {"strategy": run.plan.strategy, "from_version": run.from_version, "to_version": run.to_version},
            1,
            run,
        )
        yield _gauge("steps", "Steps of the plan, or of the way back.", {}, len(steps), run)
        if state.phase:
            yield _gauge("phase", "The phase that users live in; always 1.", {"phase": state.phase}, 1, run)
        if state.step:
            labels = {"step": state.title, "way_back": str(state.way_back).lower()}
            yield _gauge("step", "Which step is under way, from 1 on.", labels, state.step, run)
            yield _gauge("step_started_timestamp_seconds", "When it began.", labels, state.began, run)
            step = steps[state.step - 1]
            if not isinstance(step, Gate):
                # what only lasts has seconds of its own; whatever else a step does ends within the run's timeout
                limit = getattr(step, "seconds", 0.0) + run.timeout
                yield _gauge("step_limit_seconds", "How long it may take; a gate waits for a person.", labels, limit, run)
        if state.objective is not None:
            yield _gauge("objective_seconds", "Slower requests count as slow.", {}, state.objective, run)
        weights = GaugeMetricFamily(
            "labctl_rollout_intended_weight_percent", "The share of the requests that a slot is to get.", labels=("run", "slot")
        )
        for slot in dict.fromkeys((run.stable, run.candidate)):
            weights.add_metric((run.id, slot), 100 - state.weight if slot is state.stable else state.weight)
        yield weights

    def _verdict(self, state: State, judgement: Judgement) -> Iterator[Metric]:
        run, labels = self._run, {"phase": state.phase, "verdict": str(judgement.verdict)}
        yield _gauge("verdict", "What the newest look said; always 1.", labels, 1, run)
        yield _gauge("verdict_timestamp_seconds", "Since when the looks say so.", labels, state.verdict_since, run)
        judged = GaugeMetricFamily(
            "labctl_rollout_judged_requests", "Requests that the newest look compared.", labels=("run", "metric", "role")
        )
        bad = GaugeMetricFamily("labctl_rollout_judged_bad", "The bad ones among them.", labels=("run", "metric", "role"))
        for metric in judgement.metrics:
            for role, count in (("candidate", metric.candidate), ("stable", metric.stable)):
                judged.add_metric((run.id, metric.metric, role), count.n)
                bad.add_metric((run.id, metric.metric, role), count.bad)
        yield judged
        yield bad
        for attribute, (name, help_text) in OF_A_METRIC.items():
            family = GaugeMetricFamily(f"labctl_rollout_{name}", help_text, labels=("run", "metric"))
            for metric in judgement.metrics:
                family.add_metric((run.id, metric.metric), getattr(metric, attribute))
            yield family


def _gauge(name: str, help_text: str, labels: dict[str, str], value: float, run: Run) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"labctl_rollout_{name}", help_text, labels=("run", *labels))
    family.add_metric((run.id, *labels.values()), value)
    return family
