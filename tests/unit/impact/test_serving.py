"""The comparison of the serving strategies as a table and as a page, from figures that tell each cell."""

from typing import Any

from impact.serving_page import page
from impact.serving_plots import bars
from impact.serving_table import AWAY, EARLIER, MEASURES, MOMENTS, markdown

MEASURED: dict[str, Any] = {
    "format": 2,
    "command": "labctl serving compare",
    "began": "2026-01-01 00:00:00 UTC",
    "platform": "a machine",
    "processors": 2,
    "repeats": 3,
    "rows": 1000,
    "seconds": 3.0,
    "strategies": {
        "embedded": [{"p50_seconds": second, "switch_bytes": 5000.0, "switch_restarts": 1} for second in (0.001, 0.002, 0.009)],
        "batch": [{"per_second": 1000.0}] * 3,
    },
    "down": {
        "store": {
            "embedded": {"before": "answers (v2)", "during": "answers (v2)", "start": "<b> is no store", "after": "answers (v2)"},
            "batch": dict.fromkeys(MOMENTS, "9 rows"),
        }
    },
}


def test_a_cell_is_the_median_with_its_range_in_the_unit_of_its_row_and_what_was_not_measured_is_a_dash() -> None:
    text = markdown(MEASURED)

    assert "| answer p50, ms | 2 (1–9) | – |" in text
    assert "| bytes moved, kB | 5 | – |" in text
    assert "| predictions per second | – | 1000 |" in text
    assert "3 times, so each figure is a median" in text


def test_figures_of_an_earlier_format_are_shown_with_what_they_meant() -> None:
    earlier = {name: value for name, value in MEASURED.items() if name != "format"}

    assert EARLIER in markdown(earlier)
    assert EARLIER in page(earlier)
    assert EARLIER not in markdown(MEASURED)


def test_what_was_said_while_a_part_was_down_is_a_table_of_its_own() -> None:
    text = markdown(MEASURED)

    assert f"## When the store is down\n\n{AWAY['store']} " in text
    assert "| embedded | answers (v2) | answers (v2) | <b> is no store | answers (v2) |" in text


def test_every_row_is_explained_below_the_table() -> None:
    text = markdown(MEASURED)

    assert [line.split("*")[1] for line in text.splitlines() if line.startswith("- *")] == [one.title for one in MEASURES.values()]


def test_the_page_has_a_plot_for_each_measure_that_is_known_and_takes_no_word_for_markup() -> None:
    html = page(MEASURED)

    assert html.count("<svg") == len([key for key in MEASURES if bars(MEASURED, key)]) == 4
    assert "&lt;b&gt; is no store" in html
    assert "http" not in html.replace("http://www.w3.org", "")
