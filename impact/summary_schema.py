"""The JSON Schema of `summary.json`, made from its structures: `python -m impact.summary_schema > docs/summary.schema.json`."""

import json
import re
import sys
from inspect import cleandoc
from typing import Any

import msgspec

from impact import figures, summary


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a Summary; what the docstrings say about attributes describes the properties."""
    made = msgspec.json.schema(summary.Summary)
    for kind in [*vars(figures).values(), *vars(summary).values()]:
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind.__name__ in made["$defs"]:
            _describe(made["$defs"][kind.__name__], kind)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "summary.json of a run", **made}


def text() -> str:
    """The schema as it stands in docs/."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _describe(definition: dict[str, Any], kind: type[msgspec.Struct]) -> None:
    purpose, _, attributes = cleandoc(kind.__doc__ or "").partition("\n\nAttributes:\n")
    definition["description"] = purpose
    described = {name: " ".join(words.split()) for name, words in re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", attributes, re.MULTILINE)}
    for field in msgspec.structs.fields(kind):
        if field.name in described:
            definition["properties"][field.encode_name]["description"] = described[field.name]


if __name__ == "__main__":
    sys.stdout.write(text())
