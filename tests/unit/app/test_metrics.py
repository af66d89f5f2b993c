"""What Prometheus is told."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.metrics import BUCKETS
from tests.unit.app.client import Client
from tests.unit.app.conftest import ClientFactory
from tests.unit.app.test_api import holdout_case


def value(client: Client, name: str, **labels: str) -> float:
    """The sum of the samples called `name` whose labels have these values; version and slot must always be there."""
    answer = client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    samples = [sample for family in text_string_to_metric_families(answer.text) for sample in family.samples if sample.name == name]
    assert samples, f"there is no {name}"
    assert all({"version", "slot"} <= set(sample.labels) for sample in samples)
    return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())


def test_requests_durations_and_predictions_are_counted_by_version_and_slot(client: ClientFactory) -> None:
    one = client("v2")
    answers = [one.post("/predict", json=holdout_case(index)).json()["prediction"] for index in range(20)]
    one.post("/predict", json={})
    one.get("/version")
    mine = {"version": "v2", "slot": "green", "mirrored": "false"}

    assert value(one, "model_api_requests_total", **mine, handler="/predict", code="200") == 20
    assert value(one, "model_api_requests_total", **mine, handler="/predict", code="422") == 1
    assert value(one, "model_api_requests_total", **mine, handler="/version", code="200") == 1
    assert value(one, "model_api_request_duration_seconds_count", **mine, handler="/predict") == 21
    for prediction in ("benign", "malignant"):
        assert value(one, "model_api_predictions_total", **mine, prediction=prediction) == answers.count(prediction) > 0


def test_how_sure_the_model_was_is_counted(client: ClientFactory) -> None:
    one = client("v1")
    scores = [one.post("/predict", json=holdout_case(index)).json()["probability"] for index in range(20)]

    assert value(one, "model_api_prediction_score_count", version="v1") == 20
    assert value(one, "model_api_prediction_score_sum", version="v1") == pytest.approx(sum(scores))
    assert value(one, "model_api_prediction_score_bucket", le="0.9", mirrored="false") == sum(score <= 0.9 for score in scores)


def test_failures_of_the_model_are_counted(client: ClientFactory) -> None:
    broken = client("v2-broken")
    codes = [broken.post("/predict", json=holdout_case(index)).status_code for index in range(40)]

    assert value(broken, "model_api_requests_total", handler="/predict", code="500") == codes.count(500) > 0
    assert value(broken, "model_api_predictions_total") == codes.count(200) > 0


@pytest.mark.parametrize(
    ("host", "mirrored"),
    [
        ("model-api-shadow", True),
        ("model-api-shadow:8080", True),
        ("Model-API-Shadow:8080", True),
        ("127.0.0.1-shadow:10000", True),
        ("model-api", False),
        ("model-api:8080", False),
        ("shadow", False),
        ("model-shadow.example", False),
        ("127.0.0.1:8080", False),
        ("[::1]:8080", False),
    ],
)
def test_a_request_is_mirrored_if_its_host_without_the_port_ends_in_shadow(client: ClientFactory, host: str, mirrored: bool) -> None:
    one = client("v2")

    assert one.post("/predict", json=holdout_case(0), headers={"host": host}).status_code == 200

    for name in ("model_api_requests_total", "model_api_predictions_total", "model_api_request_duration_seconds_count"):
        assert value(one, name, mirrored=str(mirrored).lower()) == 1
        assert value(one, name, mirrored=str(not mirrored).lower()) == 0


def test_probes_and_scrapes_are_not_counted(client: ClientFactory) -> None:
    one = client()
    for path in ("/healthz", "/readyz", "/metrics") * 3:
        one.get(path)

    assert value(one, "model_api_requests_total") == 0


def test_made_up_paths_share_one_label(client: ClientFactory) -> None:
    """Each label value costs memory for ever, so nobody may make them up."""
    one = client()
    for path in ("/a", "/b/c", "/predict/", "/predict/x", "//predict", "/%70redict/.."):
        one.get(path)

    assert value(one, "model_api_requests_total", handler="other") == value(one, "model_api_requests_total") == 6


def test_series_begin_at_zero_before_the_first_request(client: ClientFactory) -> None:
    """A counter that appears with its first event hides it from whoever takes differences."""
    text = client().get("/metrics").text

    for mirrored in ("true", "false"):
        for code in ("200", "422", "500"):
            labels = f'code="{code}",handler="/predict",mirrored="{mirrored}",slot="green",version="v2"'
            assert f"model_api_requests_total{{{labels}}} 0.0" in text


def test_info_names_the_model_and_is_one(client: ClientFactory) -> None:
    assert value(client("v1"), "model_api_model_info", version="v1", slot="green", model="breast-cancer") == 1
    assert value(client("v1"), "model_api_in_flight_requests", version="v1", slot="green") == 0


def test_buckets_tell_the_good_versions_from_the_slow_one(client: ClientFactory) -> None:
    slow = client("v2-slow")
    slow.post("/predict", json=holdout_case(0))

    assert BUCKETS[0] < 0.001
    assert BUCKETS[-1] >= 2
    assert value(slow, "model_api_request_duration_seconds_bucket", handler="/predict", mirrored="false", le="0.2") == 0
    assert value(slow, "model_api_request_duration_seconds_bucket", handler="/predict", mirrored="false", le="1.0") == 1
