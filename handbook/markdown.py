"""Words, tables and references as the documentation's Markdown has them."""

import re
from collections.abc import Iterable, Sequence
from inspect import cleandoc

HEADING = "<!-- Made by `python -m handbook` from {source}; change that, and make it anew. -->"


def page(title: str, source: str, *parts: str) -> str:
    """A generated page: where it is from, its title, and its parts with an empty line between them."""
    return "\n\n".join([HEADING.format(source=source), f"# {title}", *(part.strip("\n") for part in parts if part)]) + "\n"


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; empty without rows."""
    lines = [f"| {' | '.join(_cell(value) for value in row)} |" for row in rows]
    return "\n".join([f"| {' | '.join(headings)} |", "|---" * len(headings) + "|", *lines]) if lines else ""


def code(text: object) -> str:
    """As code; nothing for what is empty."""
    return f"`{text}`" if str(text) else ""


def summary(documented: object) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join(cleandoc(getattr(documented, "__doc__", None) or "").partition("\n\n")[0].split())


def attributes(documented: object) -> dict[str, str]:
    """What a docstring in Google's style says of each attribute; names that share a description each have it."""
    _, _, listed = cleandoc(getattr(documented, "__doc__", None) or "").partition("Attributes:\n")
    found = re.findall(r"^    (\w+(?:, \w+)*): (.*(?:\n {8}.*)*)", listed, re.MULTILINE)
    return {name: " ".join(words.split()) for names, words in found for name in names.split(", ")}


def sentence(words: str) -> str:
    """Words that begin with a capital and end with a full stop; nothing for nothing. A URL at the beginning stays as it is."""
    text = words.strip()
    first = text.partition(" ")[0]
    return (
        (text[:1] if "/" in first or "`" in first else text[:1].upper())
        + text[1:]
        + ("" if not text or text.endswith((".", "?", "!")) else ".")
    )


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")
