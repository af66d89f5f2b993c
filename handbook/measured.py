"""Tables of measured figures for the pages of the tutorial, from docs/measured/*.json. No figure is typed by hand."""

import json
from collections.abc import Mapping
from pathlib import Path

import msgspec

from handbook.markdown import table
from impact.comparison import MEASURES, Comparison
from impact.comparison_cells import MEANINGS, TITLES, cell, ending
from impact.comparison_claims import claim_of
from impact.comparison_markdown import account
from impact.comparison_markdown import markdown as whole_table
from impact.serving_table import render as serving_table

MADE = "<!-- Made by `python -m handbook` from docs/measured/{source}. -->\n\n"
COMPARISON = "comparison.json"
SERVING = "serving.json"


def tables(folder: Path) -> dict[str, str]:
    """Each table as a file's name and text: one for each strategy, one of all, one of the ways of serving if they were measured."""
    comparison = msgspec.json.decode((folder / COMPARISON).read_bytes(), type=Comparison)
    made = MADE.format(source=COMPARISON)
    found = {f"{strategy}.md": made + _strategy(comparison, strategy) for strategy in comparison.strategies}
    found["all.md"] = made + whole_table(comparison)
    if (folder / SERVING).exists():
        measured: Mapping[str, object] = json.loads((folder / SERVING).read_text(encoding="utf-8"))
        # the page that includes it has a title of its own
        found["ways-of-serving.md"] = MADE.format(source=SERVING) + serving_table(measured).partition("\n\n")[2]
    return found


def _strategy(comparison: Comparison, strategy: str) -> str:
    """What one strategy cost, a column for each candidate."""
    rows = {candidate: comparison.row(strategy, candidate) for candidate in comparison.candidates}
    lines: list[tuple[str, ...]] = [("how it ended", *(ending(row) if row else "" for row in rows.values()), "")]
    claims: list[str] = []
    for measure in MEASURES:
        known = [row for row in rows.values() if row and measure in row.spreads]
        if not known:
            continue
        lines.append((TITLES[measure], *(cell(row, measure) for row in rows.values()), MEANINGS[measure]))
        for candidate in rows:
            claim = claim_of(measure, candidate)
            if claim and (sentence := f"{claim.title} {claim.mark(strategy)}") not in claims:
                claims.append(sentence)
    published = f"The published table says of it: {', '.join(claims)}."
    return "\n\n".join([table(("", *rows, "what it is"), lines), published, *account(comparison)]) + "\n"
