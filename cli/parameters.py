"""Values of options: durations with a unit, lists of weights, numbers of replicas that may be percentages."""

import re
from math import ceil

import msgspec
import typer

from strategies.traffic import Match

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}


def duration(text: str | float) -> float:
    """Seconds of a duration such as 500ms, 30s, 2m or 1.5 (seconds); an option's default is a number already."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|)", str(text).strip())
    if match is None:
        raise typer.BadParameter(f"{text!r} is no duration; write 500ms, 30s or 2m")
    return float(match[1]) * _SECONDS[match[2]]


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A number of replicas, or whole percents of all of them."""

    number: int
    percent: bool = False

    def at_least(self, replicas: int) -> int:
        """Of so many replicas, rounded up, as Kubernetes does for a surge."""
        return ceil(self.number * replicas / 100) if self.percent else self.number

    def at_most(self, replicas: int) -> int:
        """Of so many replicas, rounded down, as Kubernetes does for those that may be missing."""
        return self.number * replicas // 100 if self.percent else self.number


def part(text: str | int | Part) -> Part:
    """Replicas, such as 1, or percents of them, such as 25%; an option's default is parsed already."""
    if isinstance(text, Part):
        return text
    found = re.fullmatch(r"(\d+)(%?)", str(text).strip())
    if found is None:
        raise typer.BadParameter(f"{text!r} is no number of replicas; write 1, or 25% of them")
    return Part(number=int(found[1]), percent=bool(found[2]))


def weights(text: str) -> tuple[int, ...]:
    """Whole percents such as 10,25,50."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no list of whole percents; write 10,25,50") from error


def match_of(text: str, share: int) -> Match:
    """Who matches: HEADER=VALUE or cookie:NAME=VALUE; `share` percent of the lab's users do."""
    found = re.fullmatch(r"(cookie:)?([A-Za-z0-9_-]+)=([A-Za-z0-9_.~-]+)", text.strip())
    if found is None:
        raise typer.BadParameter(f"{text!r} says not who matches; write x-user-group=beta or cookie:group=beta")
    cookie, name, value = found.groups()
    return Match(name=name if cookie else name.lower(), value=value, cookie=bool(cookie), share=share)
