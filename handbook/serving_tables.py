"""The ways of serving as measured: docs/measured/serving.md, and a section of the README, from docs/measured/serving.json."""

import json
from pathlib import Path
from typing import Any

from impact.serving_table import markdown, table

SOURCE = "serving.json"
BEGIN, END = f"<!-- from here made by `python -m handbook` from docs/measured/{SOURCE} -->", "<!-- to here -->"


def page(folder: Path) -> str:
    """The table with its ranges and every sentence that was said; `folder` has the measured figures."""
    return markdown(_measured(folder))


def readme(text: str, folder: Path) -> str:
    """The README `text` with its section made anew: how it was measured, and the medians.

    Raises:
        ValueError: it has no such section.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"README.md has no section between {BEGIN!r} and {END!r}: put these two lines where the table is to be")
    return before + "\n".join([BEGIN, "", *_section(_measured(folder)), "", END]) + after


def _section(measured: dict[str, Any]) -> list[str]:
    repeats = "once" if measured["repeats"] == 1 else f"{measured['repeats']} times (medians)"
    how = (
        f"What each costs, by `{measured['command']}` on a machine with {measured['processors']} processors: measured {repeats}, "
        f"each asked for {measured['seconds']:g} s, and {measured['rows']:,} new rows for the batch:"
    )
    return [how, "", *table(measured, ranges=False)]


def _measured(folder: Path) -> dict[str, Any]:
    measured: dict[str, Any] = json.loads((folder / SOURCE).read_text(encoding="utf-8"))
    return measured
