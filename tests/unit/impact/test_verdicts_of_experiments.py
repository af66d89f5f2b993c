"""The verdict of an A/B test, from a log that the model API's own writer wrote."""

import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from app.log_databases import database
from app.prediction_log import Predicted, Truth
from app.prediction_log import PredictionLog as Writer
from impact.experiment_witness import ExperimentWitness, at_random
from impact.prediction_log import PredictionLog
from impact.userlog import Request
from strategies.errors import WitnessLost
from strategies.judgement import Verdict
from strategies.run import JudgeOptions, LoadOptions
from strategies.traffic import Match, Slot, Traffic

BLUE, GREEN = Slot.BLUE, Slot.GREEN
SPLIT = Traffic(stable=BLUE, weight=50, sticky="run")
MATCHED = Traffic(stable=BLUE, match=Match(name="x-user-group", value="beta", share=50))
ANSWERS = 10


class Dropped:
    """What a replica says that it could not log."""

    def __init__(self, count: float = 0.0) -> None:
        self._count = count

    def dropped(self) -> Mapping[Slot, float]:
        return {BLUE: self._count, GREEN: 0.0}


def write(url: str, records: Iterable[Predicted | Truth]) -> None:
    writer = Writer(database(url))
    writer.start()
    for record in records:
        assert writer.append(record)
    writer.close()


def asked(number: int, user: int, slot: Slot) -> Request:
    return Request(float(number), float(number), 0.01, user, f"r-{number}", slot, slot.value, 200, "", "benign", "benign")


def said(number: int, slot: Slot, prediction: str) -> Predicted:
    return Predicted(
        f"r-{number}",
        time.time(),
        slot.value,
        slot.value,
        mirrored=False,
        prediction=prediction,
        probability=0.9,
        latency=0.002,
        status=200,
    )


def experiment(tmp_path: Path, users: int, wrong: Mapping[Slot, int], *, split: int = 2) -> tuple[str, list[Request]]:
    """Every `split`th of the users has the candidate; of each user's ten answers the first `wrong` ones are wrong."""
    url = f"sqlite:///{tmp_path}/log.db"
    requests: list[Request] = []
    records: list[Predicted | Truth] = []
    for user in range(users):
        slot = GREEN if user % split == 0 else BLUE
        for answer in range(ANSWERS):
            number = user * ANSWERS + answer
            requests.append(asked(number, user, slot))
            records += [said(number, slot, "malignant" if answer < wrong[slot] else "benign"), Truth(f"r-{number}", 1.0, "benign")]
    write(url, records)
    return url, requests


def judge(url: str, requests: list[Request], traffic: Traffic = SPLIT, *, final: bool = True, dropped: float = 0.0) -> tuple[Verdict, str]:
    with PredictionLog(url, since=0) as log:
        witness = ExperimentWitness(log, Dropped(dropped), JudgeOptions(), randomised=True)
        judgement = witness.look(requests, traffic, final=final)
    return judgement.verdict, judgement.reason


@pytest.mark.parametrize(
    ("wrong", "verdict", "reason"),
    [
        ({BLUE: 4, GREEN: 0}, Verdict.PASS, "winner"),
        ({BLUE: 0, GREEN: 4}, Verdict.FAIL, "loser"),
        ({BLUE: 1, GREEN: 1}, Verdict.PASS, "no difference found"),
    ],
)
def test_who_is_right_more_often_wins(tmp_path: Path, wrong: Mapping[Slot, int], verdict: Verdict, reason: str) -> None:
    said_so = judge(*experiment(tmp_path, 200, wrong))

    assert said_so[0] is verdict
    assert said_so[1].startswith(reason)


def test_too_few_users_are_inconclusive(tmp_path: Path) -> None:
    verdict, reason = judge(*experiment(tmp_path, 8, {BLUE: 1, GREEN: 1}))

    assert verdict is Verdict.INCONCLUSIVE
    assert reason.startswith("too few users to tell (4 and 4)")


def test_a_split_that_is_not_what_it_should_be_is_an_error_whoever_wins(tmp_path: Path) -> None:
    verdict, reason = judge(*experiment(tmp_path, 200, {BLUE: 0, GREEN: 0}, split=10))

    assert verdict is Verdict.ERROR
    assert "20 users got the candidate and 180 stable" in reason


def test_of_users_who_were_not_chosen_by_the_lab_that_is_told(tmp_path: Path) -> None:
    url, requests = experiment(tmp_path, 200, {BLUE: 1, GREEN: 1}, split=10)
    traffic = Traffic(stable=BLUE, match=Match(name="x-user-group", value="beta"))
    with PredictionLog(url, since=0) as log:
        judgement = ExperimentWitness(log, Dropped(), JudgeOptions(), randomised=False).look(requests, traffic, final=True)

    assert str(judgement.facts["randomised"]).startswith("not randomised")
    assert judgement.verdict is not Verdict.ERROR


@pytest.mark.parametrize(
    ("traffic", "load", "randomised"),
    [
        (SPLIT, LoadOptions(), True),
        (SPLIT, LoadOptions(rate=0.0), True),
        (MATCHED, LoadOptions(group_share=50), True),
        (MATCHED, LoadOptions(group_share=0), False),
        (MATCHED, LoadOptions(rate=0.0, group_share=50), False),
    ],
)
def test_only_a_split_and_the_labs_own_users_are_called_randomised(traffic: Traffic, load: LoadOptions, randomised: bool) -> None:
    """Without the lab's users, whoever matches was chosen by somebody else, whatever share of them was asked for."""
    assert at_random(traffic, load) is randomised


def test_a_log_with_holes_judges_nobody(tmp_path: Path) -> None:
    with pytest.raises(WitnessLost, match="not whole"):
        judge(*experiment(tmp_path, 8, {BLUE: 0, GREEN: 0}), dropped=1.0)
