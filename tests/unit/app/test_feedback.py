"""Feedback: which truths are taken in, and what becomes of those that cannot be kept."""

from collections.abc import Sequence
from typing import Any

import pytest

from app.api import create_app
from app.faults import Faults
from app.prediction_log import Predicted, PredictionLog, Truth
from app.signature import Drain
from tests.unit.app.client import Client
from tests.unit.app.conftest import ClientFactory, Loaded
from tests.unit.app.test_api import holdout_case, wrong_fields
from tests.unit.app.test_metrics import value


class Memory:
    """A database in this process."""

    def __init__(self) -> None:
        self.predicted: list[Predicted] = []
        self.truths: list[Truth] = []

    def write(self, predicted: Sequence[Predicted], truths: Sequence[Truth]) -> None:
        self.predicted += predicted
        self.truths += truths

    def close(self) -> None:
        pass


def logging_client(loaded: Loaded, log: PredictionLog) -> Client:
    return Client(create_app(loaded("v2"), slot="green", drain=Drain(), faults=Faults(), max_body_bytes=5000, log=log))


def test_a_truth_is_written_with_its_request_id_and_counted(loaded: Loaded) -> None:
    kept = Memory()
    log = PredictionLog(lambda: kept)
    client = logging_client(loaded, log)

    answers = [client.post("/feedback", json={"request_id": f"r-{number}", "truth": "benign"}) for number in range(3)]

    assert [(answer.status_code, answer.json()) for answer in answers] == [(202, {"status": "accepted"})] * 3
    assert value(client, "model_api_feedback_total", version="v2", slot="green") == 3
    log.start()
    log.close()
    assert [(truth.request_id, truth.truth) for truth in kept.truths] == [(f"r-{number}", "benign") for number in range(3)]


def test_the_copy_of_a_feedback_counts_for_nothing(loaded: Loaded) -> None:
    kept = Memory()
    log = PredictionLog(lambda: kept)
    client = logging_client(loaded, log)

    answer = client.post("/feedback", json={"request_id": "r", "truth": "benign"}, headers={"host": "model-shadow:80"})

    assert answer.status_code == 202
    assert value(client, "model_api_feedback_total") == 0
    log.start()
    log.close()
    assert kept.truths == []


def test_without_a_log_feedback_is_refused_with_what_to_do(client: ClientFactory) -> None:
    answer = client().post("/feedback", json={"request_id": "r", "truth": "benign"})

    assert answer.status_code == 503
    assert "set MODEL_API_PREDICTION_LOG" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"truth": "benign"}, "request_id"),
        ({"request_id": "r"}, "truth"),
        ({"request_id": "r", "truth": "unknown"}, "truth"),
        ({"request_id": "r", "truth": None}, "truth"),
        ({"request_id": 7, "truth": "benign"}, "request_id"),
        ({"request_id": "", "truth": "benign"}, "request_id"),
        ({"request_id": "two\nlines", "truth": "benign"}, "request_id"),
        ({"request_id": "r" * 129, "truth": "benign"}, "request_id"),
    ],
)
def test_what_cannot_be_a_truth_is_422_and_named(loaded: Loaded, body: dict[str, Any], field: str) -> None:
    """An unknown class would count as a wrong answer of every version."""
    client = logging_client(loaded, PredictionLog(Memory))

    assert list(wrong_fields(client.post("/feedback", json=body))) == [field]


def test_a_full_log_refuses_feedback_and_counts_the_predictions_that_it_misses(loaded: Loaded) -> None:
    client = logging_client(loaded, PredictionLog(Memory, capacity=2))

    assert {client.post("/predict", json=holdout_case(0)).status_code for _ in range(5)} == {200}

    assert value(client, "model_api_prediction_log_dropped_total", version="v2", slot="green") == 3
    refused = client.post("/feedback", json={"request_id": "r", "truth": "benign"})
    assert refused.status_code == 503
    assert "send this again later" in refused.json()["detail"]
    assert value(client, "model_api_feedback_total") == 0
