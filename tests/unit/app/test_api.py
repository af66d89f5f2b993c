"""The API in this process: what it answers, to whom, and what it refuses."""

import asyncio
import json
import math
import random
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from app.api import create_app
from app.card import ModelCard
from app.dataset import FEATURES, split
from app.errors import PredictionFailed
from app.faults import Faults
from app.lookups import PerFeatureScaler
from app.model import Model
from app.signature import Drain
from app.store import load, read_card
from tests.unit.app.client import Client
from tests.unit.app.conftest import ClientFactory

_, HOLDOUT = split(seed=0)


def holdout_case(index: int) -> dict[str, Any]:
    """A case as the lab's users send it: all thirty features."""
    return {"features": dict(zip(FEATURES, HOLDOUT.values[index].tolist(), strict=True))}


def wrong_fields(answer: httpx.Response) -> dict[str, str]:
    """What a 422 says, by the last part of each place."""
    assert answer.status_code == 422, answer.text
    return {str(problem["loc"][-1]): problem["msg"] for problem in answer.json()["detail"]}


@pytest.mark.parametrize("version", ["v1", "v2", "v2-wrong"])
def test_predict_answers_with_the_class_its_probability_and_who_answered(client: ClientFactory, version: str) -> None:
    answer = client(version).post("/predict", json=holdout_case(0), headers={"x-request-id": "abc-1"})

    body = answer.json()
    assert answer.status_code == 200
    assert set(body) == {"prediction", "probability", "probabilities", "model", "version", "request_id"}
    assert body["probability"] == max(body["probabilities"].values()) == body["probabilities"][body["prediction"]]
    assert sum(body["probabilities"].values()) == pytest.approx(1)
    assert (body["model"], body["version"], body["request_id"]) == ("breast-cancer", version, "abc-1")


def test_served_accuracy_on_the_holdout_is_the_one_of_the_card(store: Path, client: ClientFactory) -> None:
    """Features travel by name, rounding nothing and mixing up no columns."""
    one = client("v2")

    right = [one.post("/predict", json=holdout_case(i)).json()["prediction"] == HOLDOUT.truth[i] for i in range(len(HOLDOUT.truth))]

    assert np.mean(right) == pytest.approx(read_card(store, "v2").metrics["holdout_accuracy"])


def test_v1_ignores_the_features_that_it_does_not_use(client: ClientFactory) -> None:
    case = holdout_case(3)["features"]
    only_means = {name: value for name, value in case.items() if name.startswith("mean_")}
    strange = {**only_means, "worst_area": "?", "no_feature": None}

    answers = [client("v1").post("/predict", json={"features": features}).json() for features in (case, only_means, strange)]

    assert answers[0]["probabilities"] == answers[1]["probabilities"] == answers[2]["probabilities"]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ('"14.1"', "valid number"),
        ("true", "valid number"),
        ("null", "valid number"),
        ("[14.1]", "valid number"),
        ("NaN", "finite"),
        ("Infinity", "finite"),
        ("-Infinity", "finite"),
        ("1e999", "finite"),
        ("9" * 400, "finite"),
        ("9" * 100, "less than or equal"),
        ("-0.1", "greater than or equal to 0"),
        ("1e6", "less than or equal"),
    ],
)
def test_a_value_that_is_no_sane_number_is_422_and_named(client: ClientFactory, value: str, reason: str) -> None:
    case = json.dumps(holdout_case(0)).replace(str(HOLDOUT.values[0][0]), value, 1)
    assert f'"mean_radius": {value}' in case

    wrong = wrong_fields(client().post("/predict", content=case, headers={"content-type": "application/json"}))

    assert list(wrong) == ["mean_radius"]
    assert reason in wrong["mean_radius"]


def test_missing_features_are_all_named(client: ClientFactory) -> None:
    case = holdout_case(0)
    del case["features"]["mean_area"], case["features"]["worst_radius"]

    assert wrong_fields(client().post("/predict", json=case)) == {"mean_area": "Field required", "worst_radius": "Field required"}


def test_every_case_of_the_data_is_within_the_sane_range(client: ClientFactory, store: Path) -> None:
    training, holdout = split(seed=0)
    card = read_card(store, "v2")
    values = np.concatenate([training.values, holdout.values])

    for column, feature in zip(values.T, card.features, strict=True):
        assert feature.minimum <= column.min()
        assert column.max() * 3 < feature.maximum < column.max() * 10


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"features"',
        b'{"features": []}',
        b"\xff\xfe\x00",
        b'\xef\xbb\xbf{"features": {}}',
        b'{"\\ud800": 1}',
        b'{"features": {"mean_radius": ' + b"9" * 5000 + b"}}",
        b'{"features":' * 5000,
        b"[" * 60000,
    ],
    ids=lambda body: repr(body[:20]),
)
def test_a_body_that_is_no_case_is_422(client: ClientFactory, body: bytes) -> None:
    assert wrong_fields(client().post("/predict", content=body, headers={"content-type": "application/json"}))


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "", "\xe9", "application/jsonp"])
def test_another_content_type_is_415(client: ClientFactory, content_type: str) -> None:
    headers = {"content-type": content_type.encode("latin-1")}

    assert client().post("/predict", content=json.dumps(holdout_case(0)), headers=headers).status_code == 415


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON; charset=utf-8", None])
def test_json_may_be_said_in_its_usual_ways_or_not_at_all(client: ClientFactory, content_type: str | None) -> None:
    headers = {"content-type": content_type} if content_type else {}

    assert client().post("/predict", content=json.dumps(holdout_case(0)), headers=headers).status_code == 200


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["features", *FEATURES[:3]]) | st.text(), inner, max_size=3)
    ),
    max_leaves=20,
)
anything = st.binary(max_size=300) | json_values.map(lambda value: json.dumps(value).encode())


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=anything)
def test_no_body_at_all_is_ever_a_500(client: ClientFactory, body: bytes) -> None:
    answer = client("v1").post("/predict", content=body, headers={"content-type": "application/json"})

    assert answer.status_code in (200, 422)
    assert answer.json()


def test_body_size_is_limited_whether_or_not_it_is_told(client: ClientFactory) -> None:
    limited = client(max_body_bytes=1000)

    async def chunks() -> Any:
        for _ in range(20):
            yield b" " * 100

    for answer in (limited.post("/predict", content=b" " * 1001), limited.post("/predict", content=chunks())):
        assert answer.status_code == 413
        assert "longer than 1000 bytes" in answer.json()["detail"]
    assert limited.post("/predict", content=b" " * 1000).status_code == 422


def test_a_client_that_leaves_in_the_middle_of_its_body_is_no_failure_of_the_model(client: ClientFactory) -> None:
    sent: list[Any] = []

    async def leaves() -> Any:
        return {"type": "http.disconnect"}

    async def keep(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/predict", "query_string": b"", "headers": []}

    async def ask() -> None:
        await client().app(scope, leaves, keep)

    asyncio.run(ask())

    assert sent[0]["status"] == 400


@pytest.mark.parametrize("version", ["v1", "v2-broken"])
def test_version_tells_who_answers(client: ClientFactory, version: str) -> None:
    assert client(version).get("/version").json() == {"model": "breast-cancer", "version": version, "slot": "green"}


def test_a_failing_model_is_a_500_in_json_that_names_the_request_and_keeps_its_secrets(
    client: ClientFactory, caplog: pytest.LogCaptureFixture
) -> None:
    broken = client("v2-broken")
    answers = [broken.post("/predict", json=holdout_case(index), headers={"x-request-id": f"case-{index}"}) for index in range(40)]

    failed = [answer for answer in answers if answer.status_code == 500]
    assert {answer.status_code for answer in answers} == {200, 500}
    for answer in failed:
        request_id = answer.headers["x-request-id"]
        assert answer.json() == {"detail": f"the model failed on this case: the log of request {request_id} says why"}
        assert any(request_id in line and "unknown categories" in line for line in caplog.messages)


class Fails:
    """A classifier that is not what its card says."""

    def predict_proba(self, cases: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.full((len(cases), 2), math.nan)


def card_of(store: Path) -> ModelCard:
    return read_card(store, "v1")


def test_a_probability_that_is_not_finite_is_a_failure_and_no_answer(store: Path) -> None:
    model = Model(card_of(store), Fails())

    with pytest.raises(PredictionFailed, match="not finite"):
        model.predict(model.card.example)


def test_liveness_and_readiness_differ_only_while_draining(client: ClientFactory) -> None:
    drain = Drain()
    one = client(drain=drain)
    assert one.get("/readyz").status_code == one.get("/healthz").status_code == 200

    drain.begun = True

    assert one.get("/readyz").status_code == 503
    assert one.get("/readyz").json() == {"status": "draining"}
    assert one.get("/healthz").status_code == 200
    assert one.post("/predict", json=holdout_case(0)).status_code == 200


@pytest.mark.parametrize(("method", "path"), [("GET", "/readyz"), ("POST", "/predict"), ("GET", "/nowhere"), ("DELETE", "/predict")])
def test_every_answer_closes_its_connection_while_draining_and_none_before(client: ClientFactory, method: str, path: str) -> None:
    drain = Drain()
    one = client(drain=drain)
    assert "connection" not in one.request(method, path).headers

    drain.begun = True

    assert one.request(method, path).headers["connection"] == "close"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/version", 200), ("GET", "/healthz", 200), ("GET", "/nowhere", 404), ("GET", "/predict", 405), ("POST", "/predict", 422)],
)
def test_every_answer_is_signed(client: ClientFactory, method: str, path: str, status: int) -> None:
    answer = client().request(method, path, headers={"x-request-id": "a" * 128})

    assert answer.status_code == status
    assert answer.headers["x-served-by"] == "v2"
    assert answer.headers["x-request-id"] == "a" * 128


@pytest.mark.parametrize("insane", ["", "a" * 129, "two words", "quote'", "<b>", "\xfc", "line\x0bbreak"])
def test_a_request_id_that_could_harm_a_log_is_replaced(client: ClientFactory, insane: str) -> None:
    headers = {"x-request-id": insane.encode("latin-1")}
    first, second = (client().get("/version", headers=headers).headers["x-request-id"] for _ in range(2))

    assert len(first) == 32
    assert insane != first != second


def test_even_an_unforeseen_failure_is_signed_and_counted(store: Path) -> None:
    class Breaks(Faults):
        async def strike(self) -> None:
            raise ZeroDivisionError

    client = Client(create_app(load(store, "v1"), slot="green", drain=Drain(), faults=Breaks(), max_body_bytes=1000))

    answer = client.post("/predict")

    assert answer.status_code == 500
    assert answer.json()["detail"].startswith("something unforeseen went wrong")
    assert answer.headers["x-served-by"] == "v1"
    assert 'code="500",handler="/predict",mirrored="false",slot="green",version="v1"} 1.0' in client.get("/metrics").text


def test_injected_errors_fail_their_ratio_of_predictions_and_no_probe(client: ClientFactory) -> None:
    faulty = client("v1", faults=Faults(error_ratio=0.3, chance=random.Random(1)))

    codes = [faulty.post("/predict", json=holdout_case(0)).status_code for _ in range(200)]

    assert set(codes) == {200, 500}
    assert 0.2 < codes.count(500) / len(codes) < 0.4
    for probe in ("/healthz", "/readyz", "/metrics", "/version"):
        assert {faulty.get(probe).status_code for _ in range(20)} == {200}


def test_injected_latency_is_added_to_predictions_and_to_no_probe(client: ClientFactory) -> None:
    def seconds(latency: float, method: str, path: str, **options: Any) -> float:
        faulty = client("v1", faults=Faults(latency_seconds=latency))
        started = time.perf_counter()
        assert faulty.request(method, path, **options).status_code == 200
        return time.perf_counter() - started

    assert seconds(0.2, "POST", "/predict", json=holdout_case(0)) >= 0.2
    assert seconds(30.0, "GET", "/readyz") < 30.0


def test_a_replica_that_is_to_be_unready_says_so_to_whoever_asks_and_serves_all_the_same(client: ClientFactory) -> None:
    faulty = client("v1", faults=Faults(unready=True))

    assert faulty.get("/readyz").json() == {"status": "unready by a fault that was asked for"}
    assert faulty.get("/v2/health/ready").json() == {"ready": False}
    assert {faulty.get(probe).status_code for probe in ("/readyz", "/v2/health/ready", "/v2/models/breast-cancer/ready")} == {503}
    assert {faulty.get(probe).status_code for probe in ("/healthz", "/v2/health/live")} == {200}
    assert faulty.post("/predict", json=holdout_case(0)).status_code == 200


def test_a_model_that_waits_keeps_neither_other_predictions_nor_probes_waiting(
    client: ClientFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first lookup ends only when all eight are in theirs and the probe is answered: else none of them ever would."""
    slow = client("v2-slow")
    together = threading.Barrier(8 + 1)

    def look_up(scaler: PerFeatureScaler, column: int) -> tuple[float, float]:
        if column == 0:
            together.wait(timeout=30)
        return scaler.statistics_[column]

    monkeypatch.setattr(PerFeatureScaler, "_look_up", look_up)

    async def all_at_once() -> set[int]:
        predictions = [asyncio.create_task(slow.request_async("POST", "/predict", json=holdout_case(i))) for i in range(8)]
        await asyncio.sleep(0)
        assert (await slow.request_async("GET", "/readyz")).status_code == 200
        await asyncio.to_thread(together.wait, 30)
        return {(await prediction).status_code for prediction in predictions}

    assert asyncio.run(all_at_once()) == {200}


def test_openapi_names_the_features_with_ranges_an_example_and_every_kind_of_refusal(client: ClientFactory, store: Path) -> None:
    document = client().get("/openapi.json").json()

    operation = document["paths"]["/predict"]["post"]
    body = operation["requestBody"]["content"]["application/json"]
    features = body["schema"]["properties"]["features"]
    assert "$ref" not in json.dumps(body)
    assert sorted(features["required"]) == sorted(FEATURES)
    assert features["properties"]["mean_radius"] | {"minimum": 0.0, "type": "number"} == features["properties"]["mean_radius"]
    assert client().post("/predict", json=body["example"]).status_code == 200
    assert {"200", "413", "415", "422", "500"} == set(operation["responses"])
    assert "503" in document["paths"]["/readyz"]["get"]["responses"]
