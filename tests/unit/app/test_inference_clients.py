"""The Open Inference Protocol as the clients of MLServer 1.7 and KServe 0.21 write it; Triton's own asks in test_inference."""

import json
import struct
from typing import Any

import pytest

from tests.unit.app.conftest import ClientFactory
from tests.unit.app.test_api import HOLDOUT
from tests.unit.app.test_inference import INFER

ROWS = HOLDOUT.values[:3]
FLAT = ROWS.ravel().tolist()
BY_NAME = {"name": "features", "shape": [3, 30], "datatype": "FP64"}


def mlserver(name: str = "features", **parameters: str | None) -> dict[str, Any]:
    """What its NumpyCodec makes of an array."""
    return {**BY_NAME, "name": name, "parameters": {"content_type": "np", **parameters}, "data": FLAT}


OUTPUTS = [
    {"name": "probabilities", "parameters": {"content_type": "np"}},
    {"name": "prediction", "parameters": {"content_type": "str"}},
]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"inputs": [mlserver()]}, id="MLServer: NumpyCodec.encode_input"),
        pytest.param(
            {"parameters": {"content_type": "np"}, "inputs": [mlserver("input-1")]}, id="MLServer: NumpyRequestCodec.encode_request"
        ),
        pytest.param({"inputs": [mlserver()], "outputs": OUTPUTS}, id="MLServer: outputs of a type"),
        pytest.param(
            {
                "id": None,
                "parameters": {"content_type": "np", "headers": None},
                "inputs": [mlserver("input-1", headers=None)],
                "outputs": [{"name": "probabilities", "parameters": None}, {"name": "prediction", "parameters": {"content_type": None}}],
            },
            id="MLServer: with all that is null",
        ),
        pytest.param(
            {"id": None, "parameters": None, "inputs": [{**BY_NAME, "parameters": None, "data": FLAT}], "outputs": None}, id="nulls"
        ),
        pytest.param(
            {"id": "7d8a1ba4-6ac0-4a0c-9a75-b5a2bd3a4b5c", "model_name": "breast-cancer", "inputs": [{**BY_NAME, "data": FLAT}]},
            id="KServe: InferRequest.to_rest",
        ),
        pytest.param(
            {"id": "1", "model_name": "breast-cancer", "inputs": [{**BY_NAME, "name": "input-0", "data": ROWS.tolist()}]},
            id="KServe: its examples",
        ),
    ],
)
def test_what_a_client_from_elsewhere_writes_is_answered_as_the_plain_request(client: ClientFactory, body: dict[str, Any]) -> None:
    one = client("v2")
    plain = one.post(INFER, json={"inputs": [{**BY_NAME, "data": FLAT}]}).json()

    answer = one.post(INFER, json=body)

    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found.get("id") == body.get("id")
    by_name = {output["name"]: output for output in found["outputs"]}
    assert by_name == {output["name"]: output for output in plain["outputs"]}
    if body.get("outputs"):
        assert [output["name"] for output in found["outputs"]] == ["probabilities", "prediction"]


def test_kserve_writes_bytes_after_the_json_and_may_want_bytes_back(client: ClientFactory) -> None:
    one = client("v2")
    head = json.dumps(
        {
            "id": "1",
            "model_name": "breast-cancer",
            "inputs": [{**BY_NAME, "parameters": {"binary_data_size": 720}}],
            "outputs": [{"name": "probabilities", "parameters": {"binary_data": True}}],
        }
    ).encode()
    headers = {"inference-header-content-length": str(len(head)), "content-type": "application/octet-stream"}

    answer = one.post(INFER, content=head + struct.pack("<90d", *FLAT), headers=headers)

    length = int(answer.headers["inference-header-content-length"])
    (output,) = json.loads(answer.content[:length])["outputs"]
    assert output["parameters"] == {"binary_data_size": 48}
    plain = one.post(INFER, json={"inputs": [{**BY_NAME, "data": FLAT}], "outputs": [{"name": "probabilities"}]}).json()
    assert struct.unpack("<6d", answer.content[length:]) == tuple(plain["outputs"][0]["data"])


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"inputs": [mlserver(content_type="base64")]}, "the input's content type 'base64' is not supported: only np, pd, str are"),
        (
            {"inputs": [mlserver()], "outputs": [{"name": "prediction", "parameters": {"content_type": "base64"}}]},
            "the output's content type",
        ),
        ({"inputs": [mlserver(shared_memory_region="a")]}, "shared_memory_region is not supported"),
        ({"inputs": [mlserver("input-x")]}, "there is no input 'input-x'"),
        ({"inputs": [{**mlserver(), "parameters": ["np"]}]}, "inputs.0.parameters"),
        ({"inputs": None}, "inputs"),
    ],
)
def test_what_would_change_the_answer_is_refused_still(client: ClientFactory, body: dict[str, Any], said: str) -> None:
    answer = client("v2").post(INFER, json=body)

    assert answer.status_code == 400
    assert said in answer.json()["error"]
