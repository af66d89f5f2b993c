"""`comparison.html`: the measured table as one self-contained page, for people."""

import re
from collections.abc import Collection

from markupsafe import Markup, escape

from impact.comparison import MEASURES, Comparison
from impact.comparison_cells import MEANINGS, TITLES
from impact.comparison_claims import contradictions, hints
from impact.comparison_markdown import HINTS, NO_CONTRADICTION, account, lines
from impact.comparison_plots import bars
from impact.report import templates


def page(comparison: Comparison, linked: Collection[str] = ()) -> str:
    """The HTML of a comparison; the runs that are `linked` have a page of their own where this one is served."""
    drawn = ((TITLES[measure], bars(comparison, measure), MEANINGS[measure]) for measure in MEASURES)
    return (
        templates()
        .get_template("comparison.html.j2")
        .render(
            account=[_with_code(sentence) for sentence in account(comparison)],
            hint_title=HINTS,
            hints=hints(comparison),
            contradictions=contradictions(comparison),
            no_contradiction=NO_CONTRADICTION,
            strategies=comparison.strategies,
            tables=[(candidate, lines(comparison, candidate)) for candidate in comparison.candidates],
            plots=[plot for plot in drawn if plot[1]],
            linked=linked,
            runs=[costs for row in comparison.rows for costs in row.runs],
        )
    )


def _with_code(sentence: str) -> Markup:
    """A sentence of the Markdown as HTML: what is between backticks is code."""
    return Markup(re.sub(r"`([^`]*)`", r"<code>\1</code>", str(escape(sentence))))  # noqa: S704  it is escaped before
