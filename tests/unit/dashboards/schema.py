"""Whether a dashboard's JSON fits Grafana's own types: its fields, its values, and the kinds of panels and queries.

The SDK's classes read anything: a field that they do not know is dropped, a value of a wrong type kept. So what they read is
compared with what they write again, and every value with the type that its class names for it.
"""

import json
from collections.abc import Iterator
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from grafana_foundation_sdk.cog import plugins, runtime
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Dashboard

SDK = "grafana_foundation_sdk."
POSTGRESQL = "grafana-postgresql-datasource"
"""A source of data whose queries the SDK has no words for."""
UNITS = {value for name, value in vars(units).items() if isinstance(value, str) and not name.startswith("_")}


def problems(board: dict[str, Any]) -> list[str]:
    """Where a dashboard has what Grafana's types leave out or have otherwise; places are named as in its JSON, values as in the SDK."""
    plugins.register_default_plugins()
    try:
        read = Dashboard.from_json(json.loads(json.dumps(board)))
        written = json.loads(json.dumps(read, cls=JSONEncoder))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        return [f"it cannot be read: {error}"]
    kinds = _unknown_kinds(board)
    return sorted({*_left_out(board, written), *_wrong(read, Dashboard), *kinds})


def _left_out(part: object, whole: object, where: str = "") -> list[str]:
    """What of `part` is not, or otherwise, in `whole`, which may have defaults beside it; empty lists and dictionaries are nothing."""
    if isinstance(part, dict) and isinstance(whole, dict):
        return [found for key, value in part.items() for found in _left_out(value, whole.get(key), f"{where}.{key}")]
    if isinstance(part, list) and isinstance(whole, list) and len(part) == len(whole):
        return [found for index, value in enumerate(part) for found in _left_out(value, whole[index], f"{where}[{index}]")]
    return [] if part == whole or (part in ({}, []) and whole is None) else [where]


def _wrong(value: object, hint: Any, where: str = "") -> Iterator[str]:
    """Where a value is none of its type: `{place} is {value}`."""
    if isinstance(value, dict) and (kind := next(filter(_is_of_sdk, _choices(hint)), None)):
        # some are left as they were in the JSON
        yield from _wrong(kind.from_json(value), kind, where)
    elif not _fits(value, hint):
        yield f"{where} is {value!r}"
    elif isinstance(value, list):
        inner = _inner(hint, list, 0)
        for index, one in enumerate(value):
            yield from _wrong(one, inner, f"{where}[{index}]")
    elif isinstance(value, dict):
        inner = _inner(hint, dict, 1)
        for key, one in value.items():
            yield from _wrong(one, inner, f"{where}.{key}")
    elif _is_of_sdk(type(value)):
        # by what it is and not by what was asked for: options and queries are of a panel's own kind
        for name, of in get_type_hints(type(value)).items():
            yield from _wrong(getattr(value, name), of, f"{where}.{name.removesuffix('_val')}")


def _fits(value: object, hint: Any) -> bool:
    """Whether a value is of a type, without looking into it."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint in (Any, object):
        return True
    if origin in (Union, UnionType):
        return any(_fits(value, one) for one in arguments)
    if origin is Literal:
        return value in arguments
    if isinstance(hint, type) and issubclass(hint, Enum):
        return isinstance(value, hint) or value in {one.value for one in hint}
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, origin or (NoneType if hint is None else hint))


def _inner(hint: Any, container: type, argument: int) -> Any:
    """The type of what is in a list or dictionary, as its own type tells; anything if that tells nothing."""
    found = [get_args(one)[argument] for one in _choices(hint) if get_origin(one) is container]
    return found[0] if len(found) == 1 else object


def _choices(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)


def _is_of_sdk(kind: Any) -> bool:
    return isinstance(kind, type) and kind.__module__.startswith(SDK) and not issubclass(kind, Enum)


def _unknown_kinds(board: dict[str, Any]) -> Iterator[str]:
    """Kinds of panels, queries and units that Grafana does not have: of those its types say only that they are text."""
    for index, panel in enumerate(board["panels"]):
        if runtime.panelcfg_config(panel["type"]) is None:
            yield f".panels[{index}].type is {panel['type']!r}"
        unit = panel.get("fieldConfig", {}).get("defaults", {}).get("unit", units.NoUnit)
        if unit not in UNITS:
            yield f".panels[{index}].fieldConfig.defaults.unit is {unit!r}"
        for number, target in enumerate(panel["targets"]):
            kind = target["datasource"]["type"]
            if kind not in {*runtime.Runtime().dataquery_variants, POSTGRESQL}:
                yield f".panels[{index}].targets[{number}].datasource.type is {kind!r}"
