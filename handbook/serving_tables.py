"""The ways of serving as measured: docs/measured/serving.md, and the medians, from docs/measured/serving.json."""

import json
from pathlib import Path
from typing import Any

from impact.serving_table import AT_THE_PAGE, EARLIER, markdown, table

SOURCE = "serving.json"


def page(folder: Path) -> str:
    """The table with its ranges and every sentence that was said; `folder` has the measured figures."""
    return markdown(_measured(folder))


def section(folder: Path) -> str:
    """For the README: how it was measured, and the medians."""
    measured = _measured(folder)
    repeats = "once" if measured["repeats"] == 1 else f"{measured['repeats']} times (medians)"
    how = (
        f"What each costs, by `{measured['command']}` on a machine with {measured['processors']} processors: measured {repeats}, "
        f"each asked for {measured['seconds']:g} s, and {measured['rows']:,} new rows for the batch:"
    )
    meant = [] if measured.get("format", 1) >= AT_THE_PAGE else ["", EARLIER]
    return "\n".join([how, *meant, "", *table(measured, ranges=False)]) + "\n"


def _measured(folder: Path) -> dict[str, Any]:
    measured: dict[str, Any] = json.loads((folder / SOURCE).read_text(encoding="utf-8"))
    return measured
