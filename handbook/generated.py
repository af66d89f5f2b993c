"""Which files are made, of what, and whether those that are committed are what would be made now."""

import difflib
from collections.abc import Callable
from pathlib import Path

from handbook import charts, commands, failures, measured, metrics, plans, readme, schema, serving_tables, settings

DOCS = Path(__file__).parents[1] / "docs"
README = DOCS.parent / "README.md"
REFERENCE: dict[str, Callable[[], str]] = {
    "reference/commands.md": commands.reference,
    "reference/errors.md": failures.reference,
    "reference/settings.md": settings.reference,
    "reference/metrics.md": metrics.reference,
    "reference/summary.md": schema.reference,
    "reference/charts.md": charts.reference,
}


def texts() -> dict[Path, str]:
    """Every file that is generated, or has a generated section, with its text."""
    figures = DOCS / "measured"
    made = {DOCS / name: text() for name, text in REFERENCE.items()}
    included = measured.tables(figures) | plans.lists() | {"serving.md": serving_tables.page(figures)}
    front = {README: readme.with_tables(README.read_text(encoding="utf-8"), figures)}
    return made | {figures / name: text for name, text in included.items()} | front


def write() -> None:
    """Write all of them."""
    for path, text in texts().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def drift() -> str:
    """How what is committed differs from what would be made; empty if it does not."""
    lines: list[str] = []
    for path, wanted in texts().items():
        there = path.read_text(encoding="utf-8") if path.exists() else ""
        name = path.relative_to(DOCS.parent)
        lines += difflib.unified_diff(there.splitlines(), wanted.splitlines(), f"{name} as committed", f"{name} as made now", "", "", 1, "")
    return "\n".join(lines)
