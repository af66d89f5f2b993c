"""The reference of summary.json, from its JSON Schema."""

from collections.abc import Iterator, Mapping
from typing import Any

from handbook.markdown import code, page, table
from impact.summary_schema import schema


def reference() -> str:
    """The page."""
    made = schema()
    parts = made["$defs"]
    first = made["$ref"].rpartition("/")[2]
    ordered = [first, *(name for name in parts if name != first)]
    return page(
        "summary.json",
        "the structures of `impact/summary.py`",
        "What a run did to its users, in numbers: `runs/<id>/summary.json`, and on stdout with `--json`. The same as JSON Schema: "
        "[summary.schema.json](../summary.schema.json). Times are UTC, durations seconds unless the name says otherwise, ratios 0 to 1. "
        "What was not observed is `null`, never 0.",
        *(_part(parts[name], title="summary.json itself" if name == first else name) for name in ordered),
    )


def _part(part: Mapping[str, Any], title: str) -> str:
    about = part.get("description", "")
    if "enum" in part:
        return f"## {title}\n\n{about}\n\nOne of {', '.join(map(code, part['enum']))}."
    return f"## {title}\n\n{about}\n\n" + table(("field", "type", "what it is"), _fields(part))


def _fields(part: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for name, field in part.get("properties", {}).items():
        yield code(name), _type(field), str(field.get("description", ""))


def _type(field: Mapping[str, Any]) -> str:
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in field:
        return " or ".join(_type(one) for one in field["anyOf"])
    kind = field.get("type", "")
    if kind == "array":
        inner = field.get("items") or (field.get("prefixItems") or [{}])[0]
        return f"list of {_type(inner) or 'values'}" if inner else "list"
    if kind == "object":
        values = field.get("additionalProperties")
        return f"map to {_type(values)}" if isinstance(values, dict) and values else "map"
    words = " or ".join(kind) if isinstance(kind, list) else str(kind)
    return words + (f" ({field['format']})" if "format" in field else "")
