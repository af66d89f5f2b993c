"""docs/summary.schema.json says what a summary.json holds; scripts are written against it."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from impact.figures import MetricVerdict, PhaseFigures, RoleFigures, Totals
from impact.summary import Summary
from impact.summary_schema import text
from tests.unit.impact.recorded_run import Recorder, a_run, carried_out, record, summarised

DOCUMENT = Path(__file__).parents[3] / "docs" / "summary.schema.json"
PROMISED = {
    Summary: "strategy from to outcome exit_code started ended phases totals verdicts rollback_seconds harm_seconds drain_seconds "
    "first_candidate_answer_seconds extra_pod_seconds prometheus",
    PhaseFigures: "name seconds intended_weight served_weight settle_seconds roles",
    RoleFigures: "slot version requests failed slow wrong p50_ms p95_ms p99_ms",
    Totals: "requests failed unattributed wrong downtime_seconds users users_met_both users_met_bad wrong_of_candidate users_harmed "
    "intended_rate achieved_rate",
    MetricVerdict: "metric candidate stable margin verdict at",
}


def schema() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(DOCUMENT.read_text())
    return loaded


def summary_json(runs: Path, recorder: Recorder) -> dict[str, Any]:
    folder = record(runs, recorder)
    summarised(folder)
    written: dict[str, Any] = json.loads((folder.path / "summary.json").read_text())
    return written


def test_the_document_is_what_the_code_says() -> None:
    assert DOCUMENT.read_text() == text(), "run `python -m impact.summary_schema > docs/summary.schema.json`"


@pytest.mark.parametrize(("kind", "names"), PROMISED.items())
def test_every_promised_field_is_there_required_and_described(kind: type[msgspec.Struct], names: str) -> None:
    definition = schema()["$defs"][kind.__name__]

    assert set(names.split()) <= set(definition["required"])
    assert all(definition["properties"][name]["description"] for name in definition["properties"])


def test_the_document_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize(
    "recorder",
    [
        pytest.param(carried_out(a_run()), id="promoted"),
        pytest.param(carried_out(a_run("v2-broken"), failing=0.3), id="rolled back"),
        pytest.param(carried_out(a_run(rate=0.0)), id="no load"),
        pytest.param(Recorder(a_run()), id="killed at once"),
    ],
)
def test_summaries_fit_the_schema(tmp_path: Path, recorder: Recorder) -> None:
    jsonschema.validate(summary_json(tmp_path, recorder), schema())


@pytest.mark.parametrize("field", ["outcome", "totals", "phases"])
def test_the_schema_refuses_what_is_no_summary(tmp_path: Path, field: str) -> None:
    written = summary_json(tmp_path, carried_out(a_run()))
    written[field] = "a word"

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(written, schema())
