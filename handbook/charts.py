"""The reference of the charts' values: what stands in values.yaml with its comments, and what values.schema.json allows."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from handbook.markdown import code, page, sentence, table

CHARTS = Path(__file__).parents[1] / "charts"


def reference() -> str:
    """The page."""
    parts: list[str] = []
    for chart in sorted(CHARTS.iterdir()):
        about = yaml.safe_load((chart / "Chart.yaml").read_text(encoding="utf-8"))
        parts += [
            f"## charts/{chart.name}",
            sentence(str(about.get("description", ""))),
            table(("value", "default", "allowed", "what it is"), values(chart)),
        ]
    return page(
        "Values of the charts",
        "`charts/*/values.yaml` and `charts/*/values.schema.json`",
        "Helm refuses a value that the schema does not allow, and says which. `labctl` sets what it needs itself; these are for who "
        "installs a chart by hand or looks at what was installed.",
        *parts,
    )


def values(chart: Path) -> Iterator[tuple[str, str, str, str]]:
    """Each value of a chart that is no group of others: its path, its default, what is allowed, and the comment above it."""
    text = (chart / "values.yaml").read_text(encoding="utf-8")
    schema = json.loads((chart / "values.schema.json").read_text(encoding="utf-8"))
    comments = _comments(text)
    for path, default in _leaves(yaml.safe_load(text)):
        own = next((comments[path[:length]] for length in range(len(path), 0, -1) if path[:length] in comments), "")
        yield code(".".join(path)), code(json.dumps(default, ensure_ascii=False)), _allowed(schema, path), sentence(own)


def _leaves(tree: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, value in tree.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*above, name))
        else:
            yield (*above, name), value


def _comments(text: str) -> dict[tuple[str, ...], str]:
    """The comment straight above each key. An empty line ends a comment, so what stands at the top of a file belongs to no key."""
    found: dict[tuple[str, ...], str] = {}
    path: list[tuple[int, str]] = []
    words: list[str] = []
    for line in text.splitlines():
        if comment := re.fullmatch(r" *# ?(.*)", line):
            words.append(comment[1])
        elif key := re.match(r"( *)([A-Za-z][\w.-]*):", line):
            path = [*((depth, name) for depth, name in path if depth < len(key[1])), (len(key[1]), key[2])]
            if words:
                found[tuple(name for _, name in path)] = " ".join(words)
            words = []
        else:
            words = []
    return found


def _allowed(schema: Mapping[str, Any], path: tuple[str, ...]) -> str:
    """What the schema says of a value, as far as it says anything."""
    found = dict(schema)
    for name in path:
        found = _resolved(schema, found.get("properties", {}).get(name, {}))
    if "enum" in found:
        return " or ".join(code(value) for value in found["enum"])
    kind = found.get("type", "")
    kinds = " or ".join(kind) if isinstance(kind, list) else str(kind)
    bounds = [f"{words} {found[key]}" for key, words in (("minimum", "from"), ("maximum", "to")) if key in found]
    pattern = code(found["pattern"]) if "pattern" in found else ""
    return " ".join(part for part in (kinds, *bounds, pattern) if part)


def _resolved(schema: Mapping[str, Any], part: Mapping[str, Any]) -> dict[str, Any]:
    reference = part.get("$ref", "")
    if not reference:
        return dict(part)
    found: Any = schema
    for name in reference.removeprefix("#/").split("/"):
        found = found[name]
    return dict(found)
