"""The verdict of a shadow, from a log that the model API's own writer wrote and what its servers counted."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import inf
from pathlib import Path

import pytest

from app.log_databases import database
from app.prediction_log import Predicted
from app.prediction_log import PredictionLog as Writer
from impact.prediction_log import PredictionLog
from impact.shadow_witness import LAST_COPIES_SECONDS, ShadowWitness
from impact.userlog import Request
from strategies.errors import WitnessLost
from strategies.judgement import Judgement, Verdict
from strategies.run import JudgeOptions
from strategies.traffic import Slot, Traffic
from tests.fakes import FakeClock

BLUE, GREEN = Slot.BLUE, Slot.GREEN


@dataclass
class Counted:
    """What the servers say: `users` that stable answered, `copies` that the candidate answered, by status, and what it has not."""

    users: Mapping[str, int] = field(default_factory=dict)
    copies: Mapping[str, int] | None = field(default_factory=dict)
    hanging: int = 0
    up: list[bool] = field(default_factory=lambda: [True] * 9)
    lacking: float = 0.0

    def dropped(self) -> Mapping[Slot, float]:
        return {BLUE: self.lacking, GREEN: 0.0}

    def answered(self, slot: Slot, _since: datetime, _until: datetime, *, mirrored: bool = False) -> Mapping[str, int] | None:
        return {(BLUE, False): self.users, (GREEN, True): self.copies}[slot, mirrored]

    def durations(self, slot: Slot, _since: datetime, _until: datetime, *, mirrored: bool = False) -> Mapping[float, int]:
        n = sum((self.answered(slot, _since, _until, mirrored=mirrored) or {}).values())
        return {0.01: n // 2, 0.02: n, inf: n}

    def in_flight(self, slot: Slot, _at: datetime) -> int:
        return {GREEN: self.hanging}[slot]

    def scrapes(self, slot: Slot, _since: datetime, _until: datetime) -> list[list[bool]]:
        return {GREEN: [[True] * 9, self.up]}[slot]


class Shadow:
    """A shadow in a folder: `pairs` requests with their copies, then `alone` ones without, all of them `age` seconds old."""

    def __init__(self, folder: Path, pairs: int, alone: int = 0, *, differing: int = 0, age: float = 0.0, mirror: int = 100) -> None:
        self.clock = FakeClock()
        self.began = self.clock.now() - timedelta(seconds=60)
        self.requests = [self._asked(number, 0.02) for number in range(pairs + alone)]
        self.traffic = Traffic(stable=BLUE, mirror=mirror)
        self.url = f"sqlite:///{folder}/log.db"
        at = self.clock.now().timestamp() - age
        stable = [self.said(number, BLUE, "benign", at) for number in range(pairs + alone)]
        self.write(stable + [self.said(number, GREEN, "malignant" if number < differing else "benign", at) for number in range(pairs)])

    def write(self, records: list[Predicted]) -> None:
        writer = Writer(database(self.url))
        writer.start()
        assert all(map(writer.append, records))
        writer.close()

    @staticmethod
    def said(number: int, slot: Slot, prediction: str, at: float) -> Predicted:
        return Predicted(f"r-{number}", at, slot.value, slot.value, slot is GREEN, prediction, 0.9, 0.002, 200)

    @staticmethod
    def _asked(number: int, latency: float) -> Request:
        return Request(float(number), float(number), latency, number, f"r-{number}", BLUE, "v1", 200, "", "benign", "benign")

    def judged(self, counted: Counted | None = None, *, final: bool = True) -> Judgement:
        before = [self._asked(number, 0.01) for number in range(10)]
        with PredictionLog(self.url, since=0) as log:
            witness = ShadowWitness(
                log,
                counted or Counted(users={"200": len(self.requests)}, copies={"200": len(self.requests)}),
                JudgeOptions(),
                self.traffic,
                since=self.began,
                before=before,
                alpha=0.05,
                clock=self.clock,
            )
            return witness.look(self.requests, 1.0, final=final)


def test_a_shadow_that_agrees_passes_at_once(tmp_path: Path) -> None:
    shadow = Shadow(tmp_path, 600)

    assert shadow.judged().verdict is Verdict.PASS
    assert shadow.clock.sleeps == 0


def test_one_that_does_not_agree_fails_with_examples(tmp_path: Path) -> None:
    judgement = Shadow(tmp_path, 600, differing=300).judged()

    assert judgement.verdict is Verdict.FAIL
    assert judgement.facts["flips benign → malignant"] == 300
    assert "benign was right" in str(judgement.facts["example 1"])


def test_a_log_with_holes_judges_nobody(tmp_path: Path) -> None:
    with pytest.raises(WitnessLost, match="not whole"):
        Shadow(tmp_path, 600).judged(Counted(lacking=1))


@pytest.mark.parametrize("age", [0.0, 5.0, 60.0])
def test_a_shadow_whose_copies_do_not_come_is_an_error_however_young_they_are(tmp_path: Path, age: float) -> None:
    """They are waited for, as long as they may be on their way, and no longer."""
    shadow = Shadow(tmp_path, 600, 5000, age=age)
    judgement = shadow.judged(Counted(users={"200": 5600}, copies={"200": 600}))

    assert judgement.verdict is Verdict.ERROR
    assert judgement.reason.startswith("600 of 5600 requests came as a copy")
    assert judgement.facts["copies without an answer in the log"] == 5000
    assert shadow.clock.monotonic() < LAST_COPIES_SECONDS + 1


def test_copies_that_are_only_late_are_waited_for_and_judged(tmp_path: Path) -> None:
    shadow = Shadow(tmp_path, 300, 300)
    at = shadow.clock.now().timestamp()

    def come() -> None:
        if shadow.clock.sleeps == 5:
            shadow.write([shadow.said(number, GREEN, "benign", at) for number in range(300, 600)])

    shadow.clock.watchers.append(come)
    judgement = shadow.judged()

    assert judgement.verdict is Verdict.PASS
    assert judgement.facts["copied requests"] == 600
    assert judgement.facts["copies without an answer in the log"] == 0
    assert shadow.clock.monotonic() < LAST_COPIES_SECONDS


def test_requests_that_come_while_the_last_copies_are_waited_for_hide_no_loss(tmp_path: Path) -> None:
    """Of these only the ones with a copy would count, and the more there are, the fewer would seem lost."""
    shadow = Shadow(tmp_path, 300, 300)
    at = shadow.clock.now().timestamp()

    def come() -> None:
        if shadow.clock.sleeps == 5:
            for slot in Slot:
                shadow.write([shadow.said(number, slot, "benign", at) for number in range(1000, 3000)])

    shadow.clock.watchers.append(come)

    assert shadow.judged(Counted({"200": 600}, {"200": 300})).reason.startswith("300 of 600 requests came as a copy")


def test_before_the_end_nothing_is_waited_for(tmp_path: Path) -> None:
    shadow = Shadow(tmp_path, 300, 300)

    assert shadow.judged(final=False).verdict is Verdict.INCONCLUSIVE
    assert shadow.clock.sleeps == 0


def test_requests_that_were_not_to_be_copied_are_not_waited_for(tmp_path: Path) -> None:
    shadow = Shadow(tmp_path, 600, 600, mirror=50)

    assert shadow.judged().verdict is Verdict.PASS
    assert shadow.clock.sleeps == 0


@pytest.mark.parametrize(
    ("counted", "said"),
    [
        (Counted({"200": 1000}, {"200": 600, "422": 400}), "answered 600 with status 200, answered 400 with status 422"),
        (Counted({"200": 1000}, {"200": 600}, hanging=400), "had not answered 400"),
        (Counted({"200": 1000}, {"200": 600}, up=[True] * 4 + [False] * 3), "did not answer Prometheus either, in 1 of its replicas"),
        (Counted({"200": 1000}, None, up=[False] * 9), "of the copies the candidate itself did not answer Prometheus either"),
    ],
    ids=["refuses", "hangs", "dies", "died before"],
)
def test_a_candidate_that_gets_copies_and_does_not_answer_them_is_bad(tmp_path: Path, counted: Counted, said: str) -> None:
    """Nothing of this is in the log, which has only what the model said: 600 pairs, and all of them agree."""
    judgement = Shadow(tmp_path, 600, 400).judged(counted)

    failed = next(metric for metric in judgement.metrics if metric.metric == "failed")
    assert judgement.verdict is failed.verdict is Verdict.FAIL
    assert (failed.candidate.bad, failed.candidate.n) == (400, 1000)
    assert said in judgement.reason
    assert "candidate failed 40 % of 1,000 > stable 0 % of 1,000" in judgement.reason


@pytest.mark.parametrize(
    "counted",
    [
        Counted({"200": 1000}, {"200": 600}),
        Counted({"200": 1000}, {"200": 600}, hanging=3),
        Counted({"200": 1000}, {"200": 1000}),
        Counted({"200": 1000}, {"200": 600}, up=[True, False, False] * 3),
        Counted({"200": 1000}, None),
        Counted({}, {"200": 600}),
        Counted({"200": 600, "500": 400}, {"200": 600, "500": 400}),
    ],
    ids=["lost", "some under way", "not logged yet", "busy", "unknown", "users unknown", "stable fails as well"],
)
def test_a_candidate_is_not_charged_with_copies_that_it_need_not_have_got(tmp_path: Path, counted: Counted) -> None:
    assert Shadow(tmp_path, 600, 400).judged(counted).verdict is Verdict.ERROR


def test_what_the_servers_counted_is_told_whatever_the_verdict(tmp_path: Path) -> None:
    counted = Counted({"200": 600}, {"200": 590, "500": 10}, hanging=2)
    for folder, differing in (("good", 0), ("bad", 600)):
        (tmp_path / folder).mkdir()
        facts = Shadow(tmp_path / folder, 600, differing=differing).judged(counted).facts

        assert facts["copies that the candidate answered, by its own count"] == 600
        assert facts["of them failed (no 2xx)"] == facts["of them with status 500"] == 10
        assert facts["copies in the candidate that it had not answered"] == 2
        assert facts["p50 of copies in the candidate's replicas (s)"] == pytest.approx(0.01)
        assert facts["p95 of requests in stable's replicas (s)"] == pytest.approx(0.019)


def test_what_the_copies_cost_the_users_is_told(tmp_path: Path) -> None:
    facts = Shadow(tmp_path, 600).judged().facts

    for percentile in ("p50", "p95", "p99"):
        assert facts[f"users' {percentile} before (ms)"] == 10.0
        assert facts[f"users' {percentile} while copied (ms)"] == 20.0
