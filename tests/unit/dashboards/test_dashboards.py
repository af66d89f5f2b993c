"""What Grafana is provisioned with is what the code says, and nothing in it depends on one place."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

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
