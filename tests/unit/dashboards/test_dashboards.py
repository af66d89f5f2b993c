"""What Grafana is provisioned with is what the code says, and nothing in it depends on one place."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards import generated


@pytest.fixture(params=list(generated.BOARDS))
def board(request: pytest.FixtureRequest) -> dict[str, Any]:
    model: dict[str, Any] = json.loads(generated.text(request.param))
    return model


def test_what_is_committed_is_what_the_code_says() -> None:
    assert generated.drift() == ""


def test_a_difference_is_named_by_its_file(tmp_path: Path) -> None:
    generated.write(tmp_path)
    assert generated.drift(tmp_path) == ""
    (tmp_path / "rollout.json").write_text("{}")
    (tmp_path / "one-more.json").write_text("{}")

    assert "rollout.json as committed" in generated.drift(tmp_path)
    assert "one-more.json as committed" in generated.drift(tmp_path)


def unknown(board: dict[str, Any]) -> list[str]:
    """Where a dashboard has what Grafana's own types leave out, or have otherwise, when they read it and write it again."""
    plugins.register_default_plugins()
    return sorted(missing(board, json.loads(json.dumps(Dashboard.from_json(board), cls=JSONEncoder))))


def missing(part: object, whole: object, where: str = "") -> list[str]:
    """What of `part` is not, or otherwise, in `whole`, which may have defaults beside it; empty lists and dictionaries are nothing."""
    if isinstance(part, dict) and isinstance(whole, dict):
        return [found for key, value in part.items() for found in missing(value, whole.get(key), f"{where}.{key}")]
    if isinstance(part, list) and isinstance(whole, list) and len(part) == len(whole):
        return [found for index, value in enumerate(part) for found in missing(value, whole[index], f"{where}[{index}]")]
    return [] if part == whole or (part in ({}, []) and whole is None) else [where]


def test_the_schema_knows_every_field_but_those_of_the_prometheus_plugin(board: dict[str, Any]) -> None:
    annotations = range(len(board.get("annotations", {}).get("list", [])))
    plugin = ("step", "textFormat", "titleFormat", "useValueForTime")

    assert unknown(board) == [f".annotations.list[{index}].{field}" for index in annotations for field in plugin]


def test_a_field_that_the_schema_does_not_know_is_found(board: dict[str, Any]) -> None:
    """Else the test above could not fail."""
    board["panels"][0]["colour"] = "red"

    assert ".panels[0].colour" in unknown(board)


def test_every_panel_says_what_it_shows_and_asks_the_source_that_is_chosen(board: dict[str, Any]) -> None:
    for panel in board["panels"]:
        assert panel["description"].endswith(".")
        source = panel["datasource"]["uid"]
        assert source.strip("${}") in {variable["name"] for variable in board["templating"]["list"]}
        assert panel["targets"]
        for target in panel["targets"]:
            assert target["datasource"]["uid"] == source


def test_panels_do_not_overlap_and_fit_the_width(board: dict[str, Any]) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells


def test_windows_follow_the_scrape_interval(board: dict[str, Any]) -> None:
    """A window written out would be empty where Prometheus scrapes less often."""
    for panel in board["panels"]:
        for target in panel["targets"]:
            assert not re.search(r"\[\d", target.get("expr", "")), target["expr"]


def test_no_two_dashboards_have_one_uid() -> None:
    uids = [json.loads(generated.text(name))["uid"] for name in generated.BOARDS]

    assert len(set(uids)) == len(uids)
