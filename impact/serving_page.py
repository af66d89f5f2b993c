"""`serving.html`: the comparison of the serving strategies as one self-contained page, for people."""

from collections.abc import Mapping
from typing import Any

from impact.report import templates
from impact.serving_plots import bars
from impact.serving_table import ASKED, AWAY, MEASURES, MOMENTS, account, rows


def page(measured: Mapping[str, Any]) -> str:
    """The HTML of a comparison."""
    drawn = ((measure, bars(measured, key)) for key, measure in MEASURES.items())
    return (
        templates()
        .get_template("serving.html.j2")
        .render(
            # a page shows a command as it is
            account=[sentence.replace("`", "") for sentence in account(measured)],
            strategies=list(measured["strategies"]),
            rows=rows(measured),
            plots=[(measure.title, svg, measure.meaning) for measure, svg in drawn if svg],
            moments=MOMENTS,
            away=AWAY,
            asked=ASKED,
            down=measured["down"],
        )
    )
