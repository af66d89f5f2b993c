import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.answer import Answer, read_answer

keys = st.text().filter("prediction".__ne__)
scalars = st.none() | st.booleans() | st.floats() | st.text()
json_values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(keys, inner), max_leaves=5)


@given(st.integers(200, 299), st.text("abcdefghijklmnopqrstuvwxyz ,;\"'äø", min_size=1))
def test_any_2xx_with_a_class_is_no_failure(status: int, name: str) -> None:
    body = json.dumps({"prediction": name, "more": [1]}).encode()

    assert read_answer(status, "blue", "v1", body) == Answer(status, "", "blue", "v1", name)


@given(st.integers(100, 599).filter(lambda status: not 200 <= status < 300))
def test_any_other_status_is_a_failure_whatever_it_says(status: int) -> None:
    assert read_answer(status, "green", "", b'{"prediction": "benign"}') == Answer(status, "status", "green", "", "")


@given(st.binary() | json_values.map(lambda value: json.dumps(value).encode()))
def test_a_2xx_without_a_prediction_is_a_failure_and_never_an_error(body: bytes) -> None:
    assert read_answer(200, "blue", "v1", body) == Answer(200, "status", "blue", "v1", "")


@pytest.mark.parametrize("prediction", [None, 1, ["benign"], {"class": "benign"}, "", "be\nnign", "be\u2028nign"])
def test_a_prediction_that_is_no_class_name_is_none(prediction: object) -> None:
    """A line break within a row would tear the log."""
    assert read_answer(200, "", "", json.dumps({"prediction": prediction}).encode()).failure == "status"


def test_a_body_nested_beyond_reason_is_a_failure_like_any_other() -> None:
    assert read_answer(200, "", "", b"[" * 100_000).failure == "status"
