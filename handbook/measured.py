"""Tables of measured figures for the pages of the tutorial, from docs/measured/comparison.json. No figure is typed by hand."""

from pathlib import Path

import msgspec

from handbook.markdown import table
from impact.comparison import MEASURES, Comparison
from impact.comparison_cells import MEANINGS, TITLES, cell, ending
from impact.comparison_claims import claim_of
from impact.comparison_markdown import account
from impact.comparison_markdown import markdown as whole_table

SOURCE = "comparison.json"
MADE = f"<!-- Made by `python -m handbook` from docs/measured/{SOURCE}. -->\n\n"


def tables(folder: Path) -> dict[str, str]:
    """Each table as a file's name and text: one for each strategy, and one of all. `folder` has the measured comparison."""
    comparison = _measured(folder)
    found = {f"{strategy}.md": MADE + _strategy(comparison, strategy) for strategy in comparison.strategies}
    return found | {"all.md": MADE + whole_table(comparison)}


def section(folder: Path) -> str:
    """All of them for the README, as medians."""
    return whole_table(_measured(folder), ranges=False)


def _measured(folder: Path) -> Comparison:
    return msgspec.json.decode((folder / SOURCE).read_bytes(), type=Comparison)


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
