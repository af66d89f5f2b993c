"""The Open Inference Protocol, asked by a client that was written for Triton and KServe, with its defaults."""

import json
import struct
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tritonclient import http as triton
from tritonclient.utils import InferenceServerException

from app.signature import Drain
from tests.unit.app.conftest import ClientFactory, ReplicaFactory
from tests.unit.app.test_api import HOLDOUT, holdout_case
from tests.unit.app.test_metrics import value

MODEL = "breast-cancer"
INFER = f"/v2/models/{MODEL}/infer"


@pytest.fixture
def asking(replica: ReplicaFactory) -> Iterator[triton.InferenceServerClient]:
    client = triton.InferenceServerClient(replica("v2").url.removeprefix("http://"))
    yield client
    client.close()


def tensor(rows: NDArray[Any], *, binary: bool = True) -> triton.InferInput:
    made = triton.InferInput("features", rows.shape, "FP32" if rows.dtype == np.float32 else "FP64")
    made.set_data_from_numpy(rows, binary_data=binary)
    return made


def in_json(rows: list[list[float]], **changes: Any) -> dict[str, Any]:
    return {"inputs": [{"name": "features", "datatype": "FP64", "shape": [len(rows), 30], "data": rows, **changes}]}


def test_a_client_from_elsewhere_finds_and_asks_the_model_with_its_defaults(asking: triton.InferenceServerClient) -> None:
    rows = HOLDOUT.values[:40]

    assert asking.is_server_live()
    assert asking.is_server_ready()
    assert asking.is_model_ready(MODEL)
    assert asking.is_model_ready(MODEL, "v2")
    assert "binary_tensor_data" in asking.get_server_metadata()["extensions"]
    metadata = asking.get_model_metadata(MODEL, "v2")
    assert metadata["inputs"] == [{"name": "features", "datatype": "FP64", "shape": [-1, 30]}]
    assert metadata["parameters"]["features"][0] == "mean_radius"

    answer = asking.infer(MODEL, [tensor(rows)], request_id="forty")

    said = answer.get_response()
    assert (said["id"], said["model_name"], said["model_version"]) == ("forty", MODEL, "v2")
    assert all("data" not in output for output in said["outputs"]), "the client's default is binary"
    predictions = [name.decode() for name in answer.as_numpy("prediction")]
    probabilities = answer.as_numpy("probabilities")
    assert probabilities.shape == (40, 2)
    assert predictions == [metadata["parameters"]["classes"][index] for index in probabilities.argmax(axis=1)]


@pytest.mark.parametrize("binary", [True, False])
def test_json_and_bytes_mean_the_same_as_predict(asking: triton.InferenceServerClient, client: ClientFactory, *, binary: bool) -> None:
    one = client("v2")
    expected = [one.post("/predict", json=holdout_case(index)).json() for index in range(5)]
    wanted = [triton.InferRequestedOutput(name, binary_data=binary) for name in ("probabilities", "prediction")]

    answer = asking.infer(MODEL, [tensor(HOLDOUT.values[:5], binary=binary)], model_version="v2", outputs=wanted)

    assert [output["name"] for output in answer.get_response()["outputs"]] == ["probabilities", "prediction"]
    names = [name.decode() if isinstance(name, bytes) else name for name in answer.as_numpy("prediction")]
    assert names == [case["prediction"] for case in expected]
    likeliest = answer.as_numpy("probabilities").max(axis=1)
    assert likeliest == pytest.approx([case["probability"] for case in expected], abs=1e-12)


def test_single_precision_is_taken_as_well(asking: triton.InferenceServerClient) -> None:
    answer = asking.infer(MODEL, [tensor(HOLDOUT.values[:3].astype(np.float32))])

    assert answer.as_numpy("prediction").shape == (3,)


def test_a_refusal_reaches_the_client_as_a_sentence(asking: triton.InferenceServerClient) -> None:
    wrong = HOLDOUT.values[:3].copy()
    wrong[1, 0] = np.nan

    cases: list[tuple[Callable[[], object], str]] = [
        (lambda: asking.infer(MODEL, [tensor(wrong)]), "row 1: mean_radius is nan"),
        (lambda: asking.infer(MODEL, [tensor(wrong[:, :29])]), r"shape must be \[rows, 30\]"),
        (lambda: asking.infer(MODEL, [tensor(np.tile(HOLDOUT.values, (10, 1)))]), "send fewer rows"),
        (lambda: asking.infer("other", [tensor(HOLDOUT.values[:1])]), "here is no other"),
        (lambda: asking.get_model_metadata(MODEL, "v9"), "here is no breast-cancer v9"),
    ]
    for ask, said in cases:
        with pytest.raises(InferenceServerException, match=said):
            ask()
    assert not asking.is_model_ready("other")


def test_a_model_that_fails_on_a_row_fails_the_request_and_names_it(client: ClientFactory) -> None:
    answer = client("v2-broken").post(INFER, json=in_json(HOLDOUT.values[:40].tolist()), headers={"x-request-id": "r1"})

    assert answer.status_code == 500
    assert "the log of request r1 says why" in answer.json()["error"]


ROW = HOLDOUT.values[0].tolist()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "the body"),
        (b"[" * 60000, "the body"),
        (b'{"inputs": []}', "inputs"),
        (json.dumps({"inputs": [in_json([ROW])["inputs"][0]] * 2}).encode(), "inputs"),
        (json.dumps(in_json([ROW], name="x")).encode(), "there is no input 'x'"),
        (json.dumps(in_json([ROW], datatype="INT8")).encode(), "datatype 'INT8'"),
        (json.dumps(in_json([ROW], shape=[2, 30])).encode(), "are not 2 rows"),
        (json.dumps(in_json([ROW], shape=[0, 30], data=[])).encode(), "at least one row"),
        (json.dumps(in_json([ROW], shape=[-1, 30])).encode(), "at least one row"),
        (json.dumps(in_json([ROW], shape=[1, 30, 1])).encode(), "shape must be"),
        (json.dumps(in_json([ROW], shape=[10**30, 30])).encode(), "are not 1000000000000000000000000000000 rows"),
        (json.dumps(in_json([ROW], data=[ROW[:29], [*ROW, 1.0]], shape=[2, 30])).encode(), "are not 2 rows"),
        (json.dumps(in_json([ROW], data=None)).encode(), "are 240 bytes"),
        (json.dumps(in_json([ROW], data=["1"] * 30)).encode(), "inputs.0.data"),
        (json.dumps(in_json([ROW], data=[[[1.0]]])).encode(), "inputs.0.data"),
        (json.dumps(in_json([[True, *ROW[1:]]])).encode(), "inputs.0.data"),
        (json.dumps(in_json([[float("inf"), *ROW[1:]]])).encode(), "mean_radius is inf"),
        (json.dumps(in_json([[-1.0, *ROW[1:]]])).encode(), "row 0: mean_radius is -1.0"),
        (json.dumps(in_json([ROW], parameters={"shared_memory_region": "a"})).encode(), "shared_memory_region is not supported"),
        (json.dumps({**in_json([ROW]), "outputs": [{"name": "y"}]}).encode(), "there is no output 'y'"),
        (
            json.dumps({**in_json([ROW]), "outputs": [{"name": "prediction", "parameters": {"classification": 2}}]}).encode(),
            "classification",
        ),
    ],
)
def test_what_is_no_request_for_this_model_is_a_sentence(client: ClientFactory, body: bytes, said: str) -> None:
    answer = client().post(INFER, content=body)

    assert answer.status_code == 400
    assert said in answer.json()["error"]


@pytest.mark.parametrize("length", ["-1", "99999", "", "1e2", "\u00b2", "9" * 400, "12"])
def test_a_length_of_the_json_that_is_none_is_refused(client: ClientFactory, length: str) -> None:
    headers = {"inference-header-content-length": length.encode("latin-1", "replace")}

    assert client().post(INFER, content=json.dumps(in_json([ROW])), headers=headers).status_code == 400


@pytest.mark.parametrize("size", [239, 240, 241])
def test_bytes_must_be_as_many_as_the_shape_needs(client: ClientFactory, size: int) -> None:
    blob = struct.pack("<30d", *ROW)
    head = in_json([ROW], parameters={"binary_data_size": size})
    del head["inputs"][0]["data"]
    text = json.dumps(head).encode()

    answers = [
        client().post(INFER, content=text + (blob + b"!")[:sent], headers={"inference-header-content-length": str(len(text))}).status_code
        for sent in (239, 240, 241)
    ]

    assert answers == ([400, 200, 400] if size == 240 else [400] * 3)


def test_rows_are_counted_as_predictions_and_health_is_not_counted(client: ClientFactory) -> None:
    one = client("v2")
    one.post(INFER, json=in_json(HOLDOUT.values[:7].tolist()))
    one.get("/v2/health/live")

    assert value(one, "model_api_predictions_total") == 7
    assert value(one, "model_api_requests_total", code="200") == 1
    assert value(one, "model_api_requests_total", handler="/v2/models/{name}/infer") == 1


def test_readiness_ends_with_the_drain_and_liveness_does_not(client: ClientFactory) -> None:
    drain = Drain()
    one = client(drain=drain)
    paths = ("/v2/health/ready", f"/v2/models/{MODEL}/ready", f"/v2/models/{MODEL}/versions/v2/ready", "/v2/health/live")
    assert [one.get(path).status_code for path in paths] == [200] * 4

    drain.begun = True

    assert [one.get(path).status_code for path in paths] == [503, 503, 503, 200]


def test_many_cases_are_predicted_as_each_alone_and_only_the_bad_ones_fail(loaded: Any) -> None:
    model = loaded("v2-broken")

    probabilities, failed = model.predict_batch(HOLDOUT.values)

    alone = [model.predict_batch(HOLDOUT.values[index : index + 1]) for index in range(len(HOLDOUT.values))]
    assert sorted(failed) == [index for index, (_, refused) in enumerate(alone) if refused]
    assert 0 < len(failed) < len(HOLDOUT.values)
    assert np.array_equal(probabilities, np.concatenate([one for one, _ in alone]), equal_nan=True)
    assert all("unknown categories" in reason for reason in failed.values())
