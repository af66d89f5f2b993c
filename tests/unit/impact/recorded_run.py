"""Runs that never took place, with the events and the users' log that a real canary would have left."""

import csv
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from impact.environment import environment
from impact.figures import Environment
from impact.rundir import RunFolder, run_id
from impact.summary import Summary, summarise
from impact.userlog import UserLog
from strategies.canary import CanaryOptions, canary
from strategies.events import AnyEvent, Ended, Looked, ObjectiveSet, Outcome, PhaseStarted, Settled, StepEnded, StepStarted, Witnessed
from strategies.judgement import Count, Judgement, MetricJudgement, Verdict
from strategies.plan import Analyse, Baseline, Deploy, Drain, Hold, Promote, Retire, Route, Step, title
from strategies.run import JudgeOptions, LoadOptions, Run
from strategies.traffic import Slot, Traffic
from strategies.userlog import Row

START = datetime(2026, 11, 22, 18, 45, 12, 500000, tzinfo=UTC)
ENVIRONMENT = Environment(
    python="3.11.9", platform="Linux", cpu_count=2, versions={"locust": "2.47.0"}, seed=1, command=("labctl", "rollout")
)
LIMIT = 4.1
LOOK_EVERY = 0.5


def at(seconds: float) -> datetime:
    """The time `seconds` after the run's start."""
    return START + timedelta(seconds=seconds)


def iso(moment: datetime) -> str:
    """As in the users' log."""
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def row(second: float, /, slot: str = "blue", **columns: object) -> Row:
    """One request, intended and sent that many seconds after the run's start; good and from v1 in blue unless told otherwise."""
    version = {"blue": "v1", "green": "v2", "": ""}[slot]
    usual = Row(iso(at(second)), iso(at(second)), "0.010", "1", "id", slot, version, "200", "", "benign", "benign")
    return usual._replace(**{name: str(value) for name, value in columns.items()})


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """A users' log, or one more part of it."""
    with path.open("a", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if file.tell() == 0:
            writer.writerow(Row._fields)
        writer.writerows(rows)


def a_run(
    version: str = "v2", *, rate: float = 50.0, stable: Slot = Slot.BLUE, command: tuple[str, ...] = ("labctl", "rollout", "canary")
) -> Run:
    """A canary from v1 with one step of 10 %."""
    return Run(
        id=run_id(START, "canary", "v1", version),
        started=START,
        command=command,
        platform="local",
        from_version="v1",
        to_version=version,
        stable=stable,
        candidate=stable.other,
        plan=canary(CanaryOptions(to_version=version, stable=stable, hold=30.0)),
        load=LoadOptions(rate=rate),
        judge=JudgeOptions(),
        timeout=30.0,
    )


@dataclass
class Recorder:
    """Carries a plan out on paper: time passes, users send requests, events are noted.

    `failing` and `wrong` are the candidate's ratios of bad answers, `slowness` a factor on its latency.
    """

    run: Run
    failing: float = 0.0
    wrong: float = 0.03
    slowness: float = 1.0
    events: list[AnyEvent] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    clock: float = 0.0

    def __post_init__(self) -> None:
        self.random = random.Random(self.run.load.seed)
        self.traffic = Traffic(stable=self.run.stable)
        self.counts: dict[str, list[int]] = {}

    def carry_out(self) -> None:
        """The whole plan, or up to the analysis that fails, and then the way back."""
        self.pass_time(0.2)
        for index, step in enumerate(self.run.plan.steps):
            if failure := self._step(index, step, way_back=False):
                for back, undo in enumerate(self.run.plan.way_back):
                    self._step(back, undo, way_back=True)
                self._end(Outcome.ROLLED_BACK, 1, f"{failure}; rolled back, stable has all the traffic")
                return
        self._end(Outcome.PROMOTED, 0, f"{self.run.to_version} is stable now, in {self.run.candidate}")

    def pass_time(self, seconds: float) -> None:
        """Users send a Poisson stream of requests meanwhile."""
        end = self.clock + seconds
        while self.run.load.rate and (gap := self.random.expovariate(self.run.load.rate)) < end - self.clock:
            self.clock += gap
            self._request()
        self.clock = end

    def _request(self) -> None:
        candidate = self.random.random() * 100 < self.traffic.percent(self.run.candidate)
        slot = self.run.candidate if candidate else self.run.stable
        latency = self.random.lognormvariate(-4.8, 0.35) * (self.slowness if candidate else 1.0)
        failed = candidate and self.random.random() < self.failing
        wrong = self.random.random() < (self.wrong if candidate else 0.05)
        line = Row(
            iso(at(self.clock)),
            iso(at(self.clock + self.random.uniform(0.0002, 0.002))),
            f"{latency + 0.002:.6f}",
            str(self.random.randrange(self.run.load.users)),
            f"{self.random.getrandbits(64):016x}",
            slot,
            self.run.to_version if candidate else self.run.from_version,
            "500" if failed else "200",
            "status" if failed else "",
            "" if failed else "malignant" if wrong else "benign",
            "benign",
        )
        self.rows.append(line)
        seen = self.counts.setdefault(slot, [0, 0, 0])
        seen[0] += 1
        seen[1] += failed
        seen[2] += wrong and not failed

    def _note(self, kind: type[AnyEvent], **values: object) -> None:
        self.events.append(kind(at=at(self.clock), **values))  # type: ignore[arg-type]  # each event has columns of its own

    def _phase(self, name: str) -> None:
        self._note(PhaseStarted, name=name, weight=self.traffic.weight)

    def _step(self, index: int, step: Step, *, way_back: bool) -> str:
        self._note(StepStarted, index=index, title=title(step), way_back=way_back)
        failure = self._perform(step, way_back=way_back)
        if not failure:
            self._note(StepEnded, index=index, way_back=way_back)
        return failure

    def _perform(self, step: Step, *, way_back: bool) -> str:
        match step:
            case Baseline(seconds):
                self._phase("baseline")
                self.pass_time(seconds)
                self._note(ObjectiveSet, seconds=0.095, source="5 times stable's p99")
            case Deploy(_, release):
                self._phase(f"deploy {release.version} ×{release.replicas}")
                self.pass_time(3.0)
            case Route(traffic):
                self._note(PhaseStarted, name="way back" if way_back else f"{traffic.weight} %", weight=traffic.weight)
                self.pass_time(0.08)
                self.traffic = traffic
                self.pass_time(0.7)
                self._note(Settled, weight=traffic.weight, seconds=0.78, candidate=3, answers=35, probes=0)
            case Analyse(seconds):
                return self._analyse(seconds)
            case Promote(slot):
                self.traffic = Traffic(stable=slot)
            case Hold(seconds, phase):
                self._phase(phase)
                self.pass_time(seconds)
            case Drain():
                if not way_back:
                    self._phase("drain")
                self.pass_time(0.4)
            case Retire():
                self.pass_time(0.6)
        return ""

    def _analyse(self, seconds: float) -> str:
        self.counts = {}
        deadline = self.clock + seconds
        while self.clock < deadline:
            self.pass_time(LOOK_EVERY)
            metrics = (self._metric("failed", 1, final=self.clock >= deadline), self._metric("wrong", 2, final=self.clock >= deadline))
            worst = next((metric for metric in metrics if metric.verdict is Verdict.FAIL), None)
            verdict = worst.verdict if worst else metrics[0].verdict
            reason = worst.explanation if worst else "every metric passed"
            self._note(Looked, judgement=Judgement(verdict=verdict, reason=reason, metrics=metrics))
            if worst:
                return reason
        self._note(Witnessed, prometheus=self._witness(1), users=self._witness(0))
        return ""

    def _metric(self, name: str, column: int, *, final: bool) -> MetricJudgement:
        candidate, stable = (self.counts.get(slot, [0, 0, 0]) for slot in (self.run.candidate, self.run.stable))
        evidence = candidate[column] * 0.9 - candidate[0] * 0.06
        verdict = Verdict.FAIL if evidence > LIMIT else Verdict.PASS if final else Verdict.INCONCLUSIVE
        return MetricJudgement(
            metric=name,
            candidate=Count(candidate[column], candidate[0]),
            stable=Count(stable[column], stable[0]),
            margin=0.02,
            verdict=verdict,
            evidence=evidence,
            limit=LIMIT,
            needed=94,
            explanation=f"candidate {name} {candidate[column]} of {candidate[0]}, stable {stable[column]} of {stable[0]}, margin 2 %",
        )

    def _witness(self, more: int) -> dict[str, Count]:
        return {slot: Count(seen[1], seen[0] + more) for slot, seen in self.counts.items()}

    def _end(self, outcome: Outcome, exit_code: int, reason: str) -> None:
        self._note(Ended, outcome=outcome, exit_code=exit_code, reason=reason)


def carried_out(run: Run, *, failing: float = 0.0, wrong: float = 0.03, slowness: float = 1.0) -> Recorder:
    """A whole run on paper."""
    recorder = Recorder(run, failing=failing, wrong=wrong, slowness=slowness)
    recorder.carry_out()
    return recorder


def record(runs: Path, recorder: Recorder) -> RunFolder:
    """Put what a recorder has noted so far on disk, as a run that is killed then would have left it."""
    folder = RunFolder.create(runs, recorder.run)
    for event in recorder.events:
        folder.write(event)
    write_rows(folder.new_log_path(), recorder.rows)
    return folder


def summarised(folder: RunFolder) -> Summary:
    """Read a run's record and write its summary, as at the end of a run."""
    log = UserLog(folder.requests)
    log.poll()
    summary = summarise(folder.run, folder.events(), log.requests, environment(folder.run))
    folder.write_summary(summary)
    return summary
