"""The README's tables, each between two marks, made of what was measured."""

from collections.abc import Callable, Mapping
from pathlib import Path

from handbook import measured, serving_tables

SECTIONS: Mapping[str, Callable[[Path], str]] = {
    serving_tables.SOURCE: serving_tables.section,
    measured.SOURCE: measured.section,
}
END = "<!-- to here -->"


def begin(source: str) -> str:
    """The mark before what is made of the file `source`."""
    return f"<!-- from here made by `python -m handbook` from docs/measured/{source} -->"


def with_tables(text: str, folder: Path) -> str:
    """The README `text` with each of its tables made anew from the measured figures in `folder`.

    Raises:
        ValueError: it has no place for one of them.
    """
    for source, section in SECTIONS.items():
        mark = begin(source)
        before, found, rest = text.partition(mark)
        _, end, after = rest.partition(END)
        if not (found and end):
            raise ValueError(f"README.md has no section between {mark!r} and {END!r}: put these two lines where the table is to be")
        text = f"{before}{mark}\n\n{section(folder)}\n{END}{after}"
    return text
