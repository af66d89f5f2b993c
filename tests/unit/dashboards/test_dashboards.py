"""What Grafana is provisioned with is what the code says, and nothing in it depends on one place."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from dashboards import generated
from tests.unit.dashboards.schema import problems


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


def test_the_schema_knows_all_but_four_fields_of_the_prometheus_plugin(board: dict[str, Any]) -> None:
    annotations = range(len(board.get("annotations", {}).get("list", [])))
    plugin = ("step", "textFormat", "titleFormat", "useValueForTime")

    assert problems(board) == [f".annotations.list[{index}].{field}" for index in annotations for field in plugin]


@pytest.mark.parametrize(
    ("path", "nonsense"),
    [
        ("panels.0.colour", "red"),
        ("panels.0.type", "no-such-panel"),
        ("panels.0.gridPos.w", "wide"),
        ("panels.0.gridPos.h", 1.5),
        ("panels.0.fieldConfig.defaults.unit", 7),
        ("panels.0.fieldConfig.defaults.unit", "furlongs"),
        ("panels.0.title", ["a", "list"]),
        ("panels.0.targets.0.expr", 5),
        ("panels.0.transformations.0.id", 3),
        ("panels.0.targets.0.format", "a nice one"),
        ("panels.0.targets.0.datasource.type", "no-such-source"),
        ("panels.0.options.textMode", "loud"),
        ("panels.4.fieldConfig.defaults.custom.lineWidth", "thick"),
        ("panels.4.options.legend.placement", "nowhere"),
        ("panels.4.fieldConfig.overrides.0.properties.0.id", 3),
        ("refresh", []),
        ("graphTooltip", 9),
        ("tags", "one"),
        ("tags.0", 1),
        ("time.from", 15),
        ("editable", "no"),
        ("schemaVersion", "new"),
        ("templating.list.0.type", "whatever"),
        ("links.0.keepTime", "yes"),
    ],
)
def test_nonsense_is_found(path: str, nonsense: object) -> None:
    """Else the test above could not fail."""
    board: Any = json.loads(generated.text("compare" if "transformations" in path else "gateway"))
    *way, last = (int(step) if step.isdecimal() else step for step in path.split("."))
    place = board
    for step in way:
        place = place[step]
    place[last] = nonsense

    assert problems(board)


def test_every_panel_says_what_it_shows_and_asks_the_source_that_is_chosen(board: dict[str, Any]) -> None:
    for panel in board["panels"]:
        assert panel["description"].endswith(".")
        source = panel["datasource"]["uid"]
        assert source.strip("${}") in {variable["name"] for variable in board["templating"]["list"]}
        assert panel["targets"]
        for target in panel["targets"]:
            assert target["datasource"]["uid"] == source


def test_every_column_of_a_table_is_called_by_its_query() -> None:
    """Grafana calls the column of an only query `Value`, and those of several `Value #A` and so on."""
    tables = [panel for name in generated.BOARDS for panel in json.loads(generated.text(name))["panels"] if "transformations" in panel]
    assert {len(panel["targets"]) > 1 for panel in tables} == {True, False}
    for panel in tables:
        (names,) = (one["options"]["renameByName"] for one in panel["transformations"] if one["id"] == "organize")
        refs = [target["refId"] for target in panel["targets"]]
        assert ({f"Value #{ref}" for ref in refs} if len(refs) > 1 else {"Value"}) <= names.keys(), panel["title"]


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
