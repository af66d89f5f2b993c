"""The store refuses whatever it cannot vouch for, in one sentence, before a byte of it is unpickled."""

import hashlib
import json
import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import AppError, StoreRefused, UnknownVersion
from app.store import VERSION, load, versions


@pytest.fixture
def copy(store: Path, tmp_path: Path) -> Path:
    """A store with v1 alone, for a test to damage."""
    shutil.copytree(store / "v1", tmp_path / "store" / "v1")
    return tmp_path / "store"


class MakesDirectory:
    """A pickle with a side effect that can be seen."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def change_card(store: Path, **changes: object) -> None:
    """Write some fields of v1's card anew; None removes one."""
    card = store / "v1" / "model.json"
    fields = {**json.loads(card.read_text()), **changes}
    card.write_text(json.dumps({name: value for name, value in fields.items() if value is not None}))


def refusal(store: Path, version: str = "v1", error: type[AppError] = StoreRefused) -> str:
    """The sentence that loading is refused with."""
    with pytest.raises(error) as refused:
        load(store, version)
    sentence = str(refused.value)
    assert "\n" not in sentence
    return sentence


def test_loaded_model_predicts_its_example(store: Path) -> None:
    model = load(store, "v2")

    assert model.predict(model.card.example)["malignant"] > 0.9


def test_tampered_model_is_refused_before_it_is_unpickled(copy: Path, tmp_path: Path) -> None:
    made = tmp_path / "made by the pickle"
    tampered = pickle.dumps(MakesDirectory(made))
    (copy / "v1" / "model.joblib").write_bytes(tampered)

    assert "sha256 differs" in refusal(copy)
    assert not made.exists()

    # the pickle does act once its digest is right, so it is the digest that kept it from acting
    change_card(copy, sha256=hashlib.sha256(tampered).hexdigest())
    refusal(copy)
    assert made.exists()


def test_a_copied_directory_is_a_version_of_its_own(copy: Path) -> None:
    shutil.copytree(copy / "v1", copy / "v1-again")

    assert load(copy, "v1-again").card.version == "v1-again"
    assert versions(copy) == ["v1", "v1-again"]


def test_missing_version_names_what_there_is(copy: Path) -> None:
    assert "has no version v3 (it holds v1)" in refusal(copy, "v3", UnknownVersion)


def test_a_store_that_is_missing_or_empty_is_told_as_such(tmp_path: Path) -> None:
    assert f"there is no model store at {tmp_path / 'nowhere'}: `labctl model train` makes one" in refusal(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    assert "it holds nothing" in refusal(tmp_path / "empty", error=UnknownVersion)


@pytest.mark.parametrize("name", ["../v1", "v1/../v1", "/etc", "", ".", "..", ".hidden", "v1\n", "v" * 64, "v 1"])
def test_a_name_that_could_lead_elsewhere_is_no_version(copy: Path, name: str) -> None:
    with pytest.raises(StoreRefused, match="cannot be a version"):
        load(copy, name)


@given(st.from_regex(VERSION, fullmatch=True))
def test_a_version_never_leads_out_of_the_store(name: str) -> None:
    store = Path("/models")

    assert Path(os.path.normpath(store / name)).parent == store
    assert Path(name).name == name


def test_unreadable_card_is_refused(copy: Path) -> None:
    (copy / "v1" / "model.json").write_text('{"name": "half a ca')

    assert "model.json is no model card" in refusal(copy)


def test_card_that_lacks_a_field_is_refused_by_the_name_of_the_field(copy: Path) -> None:
    change_card(copy, classes=None)

    assert "classes: Field required" in refusal(copy)


def test_card_whose_example_lacks_a_feature_is_refused(copy: Path) -> None:
    change_card(copy, example={"mean_radius": 1})

    assert "its example lacks mean_texture" in refusal(copy)


def test_card_that_is_a_directory_is_refused(copy: Path) -> None:
    (copy / "v1" / "model.json").unlink()
    (copy / "v1" / "model.json").mkdir()

    assert "cannot be read" in refusal(copy)


def test_missing_model_file_is_refused(copy: Path) -> None:
    (copy / "v1" / "model.joblib").unlink()

    assert "model.joblib cannot be read" in refusal(copy)


def test_model_of_another_scikit_learn_is_refused(copy: Path) -> None:
    change_card(copy, libraries={"scikit-learn": "0.24.2"})

    assert "was made by scikit-learn 0.24.2" in refusal(copy)


def test_model_that_fails_on_its_own_example_is_refused(store: Path, copy: Path) -> None:
    """v2's file under v1's card: the digest is right, but it wants thirty features."""
    shutil.copy(store / "v2" / "model.joblib", copy / "v1")
    change_card(copy, sha256=hashlib.sha256((copy / "v1" / "model.joblib").read_bytes()).hexdigest())

    assert "fails on its own example" in refusal(copy)
