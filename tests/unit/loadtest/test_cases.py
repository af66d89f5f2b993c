import json
from pathlib import Path

import pytest

from loadtest.cases import read_cases
from strategies.errors import StoreRefused
from tests.unit.loadtest.load import FEATURES, write_cases


def test_a_case_is_sent_with_all_its_features_as_numbers_and_without_its_truth(tmp_path: Path) -> None:
    first, second = read_cases(write_cases(tmp_path / "holdout.csv", ("benign", "malignant")))

    assert (first.truth, second.truth) == ("benign", "malignant")
    assert json.loads(second.body) == {"features": {name: 1 + index / 7 if index else 1.0 for index, name in enumerate(FEATURES)}}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "case,radius,truth\n",
        "case,radius\n1,2.0\n",
        "case,truth\n1,benign\n",
        "case,radius,truth\n1,big,benign\n",
        "case,radius,truth\n1,nan,benign\n",
        "case,radius,truth\n1,2.0\n",
        "case,radius,truth\n1,2.0,benign,more\n",
        'case,radius,truth\n1,"2.0,benign\n',
    ],
)
def test_a_file_that_does_not_hold_cases_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "holdout.csv"
    path.write_text(text)

    with pytest.raises(StoreRefused, match=r"holdout\.csv .*labctl model train"):
        read_cases(path)


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "binary.csv").write_bytes(b"case,radius,truth\n1,\xff,benign\n")

    for name in ("missing.csv", "binary.csv", "."):
        with pytest.raises(StoreRefused, match="labctl model train"):
            read_cases(tmp_path / name)
