"""A plan can be printed, and stored without losing anything."""

from datetime import UTC, datetime
from typing import get_args

import msgspec
import pytest

from strategies.canary import CanaryOptions, canary
from strategies.events import (
    AnyEvent,
    Ended,
    Looked,
    Metered,
    Noted,
    ObjectiveSet,
    Outcome,
    PhaseStarted,
    Settled,
    StepEnded,
    StepStarted,
    Witnessed,
)
from strategies.judgement import Count, Judgement, MetricJudgement, Verdict
from strategies.plan import (
    Analyse,
    Baseline,
    Deploy,
    Drain,
    Gate,
    Hold,
    Plan,
    Promote,
    Release,
    Replace,
    Replacement,
    Retire,
    Route,
    Step,
    Subject,
    title,
)
from strategies.run import JudgeOptions, LoadOptions, Run
from strategies.traffic import Slot, Traffic

TITLES: list[tuple[Step, str]] = [
    (Baseline(5.0), "baseline: watch stable alone for 5 s"),
    (Deploy(Slot.GREEN, Release(version="v2", replicas=1)), "deploy v2 to green, 1 ready replica"),
    (Deploy(Slot.GREEN, Release(version="v2", replicas=10)), "deploy v2 to green, 10 ready replicas"),
    (Route(Traffic(stable=Slot.BLUE, weight=10)), "route 90 % to blue, 10 % to green"),
    (Route(Traffic(stable=Slot.GREEN, weight=10)), "route 10 % to blue, 90 % to green"),
    (Route(Traffic(stable=Slot.BLUE, preview=True)), "route 100 % to blue, 0 % to green; green gets our preview"),
    (Route(Traffic(stable=Slot.BLUE, mirror=30)), "route 100 % to blue, 0 % to green; green gets a copy of 30 %"),
    (
        Replace(Slot.BLUE, Release(version="v2", replicas=2), Replacement.ROLLING),
        "exchange blue in place (rolling) for v2, 2 ready replicas",
    ),
    (Gate(), "gate: wait for `labctl promote` or `labctl abort`"),
    (Analyse(5.0, Subject.EXPERIMENT, needs_winner=True), "analyse (experiment) for 5 s: only a winner goes on"),
    (Analyse(2.5), "analyse for 2.5 s: only PASS goes on"),
    (Promote(Slot.GREEN), "promote: green is stable from here on"),
    (Hold(30.0, "promoted, the old version warm"), "hold for 30 s: promoted, the old version warm"),
    (Drain(Slot.BLUE), "drain blue"),
    (Retire(Slot.BLUE), "retire blue"),
]
NOW = datetime(2026, 11, 22, 18, 45, 12, 123456, tzinfo=UTC)
METRIC = MetricJudgement(
    metric="slow",
    candidate=Count(13, 412),
    stable=Count(15, 3700),
    margin=0.02,
    verdict=Verdict.FAIL,
    evidence=4.5,
    limit=4.1,
    needed=180,
    explanation="candidate slow 3.2 % of 412 > stable 0.4 % of 3,700 + margin 2 %",
)
EVENTS: list[AnyEvent] = [
    StepStarted(at=NOW, index=0, title="route 100 % to blue, 0 % to green", way_back=True),
    StepEnded(at=NOW, index=3),
    PhaseStarted(at=NOW, name="10 %", weight=10),
    ObjectiveSet(at=NOW, seconds=0.05, source="5 times stable's p99 of 10.0 ms in the baseline"),
    Settled(at=NOW, weight=10, seconds=0.123456, candidate=12, answers=101, probes=50),
    Looked(at=NOW, judgement=Judgement(verdict=Verdict.FAIL, reason=METRIC.explanation, metrics=(METRIC,))),
    Witnessed(at=NOW, prometheus={"green": Count(1, 99)}, users={"green": Count(1, 100), "blue": Count(0, 900)}),
    Metered(at=NOW, cpu_seconds=12.5, steady_cpu_seconds=10.25),
    Noted(at=NOW, text="will try again: the proxy's admin endpoint does not answer"),
    Ended(at=NOW, outcome=Outcome.ROLLED_BACK, exit_code=1, reason=METRIC.explanation, left="drain green; retire green"),
]


@pytest.mark.parametrize(("step", "words"), TITLES)
def test_title(step: Step, words: str) -> None:
    assert title(step) == words


def test_every_step_has_a_title() -> None:
    assert {type(step) for step, _ in TITLES} == set(get_args(Step))


def test_a_plan_is_the_same_after_it_was_stored() -> None:
    plan = Plan(strategy="all", replicas=3, steps=tuple(step for step, _ in TITLES), way_back=tuple(step for step, _ in TITLES[:4]))

    assert msgspec.json.decode(msgspec.json.encode(plan), type=Plan) == plan


def test_a_run_is_the_same_after_it_was_stored() -> None:
    run = Run(
        id="20261122-184512-canary-v1-v2",
        started=NOW,
        command=("labctl", "rollout", "canary", "--weight", "10"),
        platform="local",
        from_version="v1",
        to_version="v2",
        stable=Slot.GREEN,
        candidate=Slot.BLUE,
        plan=canary(CanaryOptions(to_version="v2", stable=Slot.GREEN, weights=(10, 25, 50), replicas=10)),
        load=LoadOptions(seconds=30.0, shape="ramp"),
        judge=JudgeOptions(objective=0.25),
        timeout=60.0,
        owns_lab=True,
    )

    assert msgspec.json.decode(msgspec.json.encode(run), type=Run) == run


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_is_the_same_after_it_was_stored(event: AnyEvent) -> None:
    line = msgspec.json.encode(event)

    assert b"\n" not in line
    assert msgspec.json.decode(line, type=AnyEvent) == event


def test_every_kind_of_event_was_stored() -> None:
    assert {type(event) for event in EVENTS} == set(get_args(AnyEvent))


@pytest.mark.parametrize(("count", "ratio"), [(Count(0, 0), None), (Count(0, 8), 0.0), (Count(2, 8), 0.25)])
def test_no_data_is_never_zero(count: Count, ratio: float | None) -> None:
    assert count.ratio == ratio
