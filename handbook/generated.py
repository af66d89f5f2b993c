"""Which files are made, of what, and whether those that are committed are what would be made now."""

import difflib
from collections.abc import Callable
from pathlib import Path

from handbook import charts, commands, failures, measured, metrics, plans, schema, settings

DOCS = Path(__file__).parents[1] / "docs"
REFERENCE: dict[str, Callable[[], str]] = {
    "reference/commands.md": commands.reference,
    "reference/errors.md": failures.reference,
    "reference/settings.md": settings.reference,
    "reference/metrics.md": metrics.reference,
    "reference/summary.md": schema.reference,
    "reference/charts.md": charts.reference,
}


def texts() -> dict[Path, str]:
    """Every generated file of docs/ with its text."""
    made = {DOCS / name: text() for name, text in REFERENCE.items()}
    included = measured.tables(DOCS / "measured") | plans.lists()
    return made | {DOCS / "measured" / name: text for name, text in included.items()}


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
