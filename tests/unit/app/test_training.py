"""Training: what it writes, that it can be repeated, and what it refuses."""

import csv
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer

from app.dataset import FEATURES, split
from app.publishing import publish
from app.store import read_card
from app.training import main

VERSIONS = ("v1", "v2", "v2-broken", "v2-slow", "v2-wrong")


def test_features_are_those_of_the_data_in_its_order() -> None:
    def snake_case(name: str) -> str:
        return name.replace(" ", "_")

    assert [snake_case(name) for name in load_breast_cancer().feature_names] == list(FEATURES)


def test_split_is_by_seed_stratified_and_without_overlap() -> None:
    training, holdout = split(3)

    assert sorted([*training.numbers, *holdout.numbers]) == list(range(569))
    assert len(holdout.numbers) == 171
    assert abs(np.mean(training.truth == "benign") - np.mean(holdout.truth == "benign")) < 0.01
    assert np.array_equal(split(3)[1].numbers, holdout.numbers)
    assert not np.array_equal(split(4)[1].numbers, holdout.numbers)


def test_holdout_file_has_the_cases_as_they_are_in_the_data(store: Path) -> None:
    with (store / "holdout.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))

    data = load_breast_cancer()
    assert tuple(rows[0]) == ("case", *FEATURES, "truth")
    assert len(rows) == 171
    for row in rows:
        case = int(row["case"])
        assert [float(row[feature]) for feature in FEATURES] == data.data[case].tolist()
        assert row["truth"] == data.target_names[data.target[case]]


@pytest.mark.parametrize("version", VERSIONS)
def test_card_tells_of_the_model(store: Path, version: str) -> None:
    card = json.loads((store / version / "model.json").read_text())

    assert card["version"] == version
    assert card["name"] == "breast-cancer"
    assert card["seed"] == 0
    assert card["classes"] == ["benign", "malignant"]
    assert card["sha256"] == hashlib.sha256((store / version / "model.joblib").read_bytes()).hexdigest()
    assert set(card["libraries"]) == {"python", "scikit-learn", "numpy", "joblib"}
    assert [feature["name"] for feature in card["features"]] == list(FEATURES[:10] if version == "v1" else FEATURES)
    assert list(card["example"]) == [feature["name"] for feature in card["features"]]


def test_one_line_per_version_tells_both_accuracies(store: Path) -> None:
    lines = (store / "training.log").read_text().splitlines()

    assert sorted(line.partition(":")[0] for line in lines) == list(VERSIONS)
    for line in lines:
        metrics = json.loads((store / line.partition(":")[0] / "model.json").read_text())["metrics"]
        assert f"holdout accuracy {metrics['holdout_accuracy']:.3f}" in line
        assert f"{metrics['cross_validated_accuracy']:.3f} ± {metrics['cross_validated_accuracy_sd']:.3f}" in line


def test_training_again_gives_the_same_bytes_whatever_the_order_and_the_hash_seed(store: Path, tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "app.training", "--store", str(tmp_path), "v2", "v1"],
        env={**os.environ, "PYTHONHASHSEED": "2"},
        timeout=120,
        check=True,
    )

    for version in ("v1", "v2"):
        for name in ("model.joblib", "model.json"):
            assert (tmp_path / version / name).read_bytes() == (store / version / name).read_bytes()
    assert (tmp_path / "holdout.csv").read_bytes() == (store / "holdout.csv").read_bytes()


def test_a_version_is_replaced_only_if_its_content_differs(store: Path, tmp_path: Path) -> None:
    card = read_card(store, "v1")

    assert publish(tmp_path, card, b"model")
    first = (tmp_path / "v1").stat().st_ino

    assert not publish(tmp_path, card, b"model")
    assert (tmp_path / "v1").stat().st_ino == first

    assert publish(tmp_path, card, b"another model")
    assert (tmp_path / "v1" / "model.joblib").read_bytes() == b"another model"
    assert read_card(tmp_path, "v1") == card
    assert [path.name for path in tmp_path.iterdir()] == ["v1"], "nothing temporary is left"


def test_unknown_version_is_refused_before_anything_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--store", str(tmp_path / "store"), "v1", "v9"]) == 2

    assert capsys.readouterr().err == "there is no version v9: choose from v1, v2, v2-broken, v2-slow, v2-wrong\n"
    assert not (tmp_path / "store").exists()


def test_two_seeds_in_one_store_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The users' cases of one seed would be among the training cases of the other."""
    assert main(["--store", str(tmp_path), "v1"]) == 0

    assert main(["--store", str(tmp_path), "--seed", "5", "v2"]) == 2
    assert "holds v1 of seed 0" in capsys.readouterr().err
    assert not (tmp_path / "v2").exists()


def test_store_that_cannot_be_written_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()

    assert main(["--store", str(tmp_path / "file"), "v1"]) == 3

    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "cannot be written" in error
    assert "--store" in error
