"""A visitor who clicks as told: `python -m app.pages.clicking` reads a `Visit` as JSON from each line of stdin, and answers with a line.

An answer has the version that answered, how many clicks it was and their percentiles in seconds, or `failed`: the page's own
sentence. A visitor stays on a page from one line to the next, and comes back if the pages were started anew, as a browser does.
"""

import json
import sys
import time
from collections.abc import Iterable
from itertools import count

import numpy as np
from pydantic import BaseModel, ConfigDict

from app.errors import ServiceFailed
from app.pages.showing import CHANGED
from app.pages.visiting import BUTTONS, Visitor

SHARES = 997
"""How many different values a changed feature takes before the first comes again."""
LOOK_AGAIN = "Look again"


class Visit(BaseModel):
    """What a visitor is to do.

    Attributes:
        pages: where the pages are served.
        strategy: whose page, by its name in `BUTTONS`.
        alone: whether it is the only page that is served there.
        seconds: how long to click; at least once.
        new: ask about new data: a case that is changed with each click; of the database, which file's predictions are the newest.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pages: str
    strategy: str
    alone: bool = False
    seconds: float = 0.0
    new: bool = False


class Visitors:
    """One visitor for each page and button that was asked for."""

    def __init__(self) -> None:
        self._there: dict[tuple[str, str, str], Visitor] = {}
        self._values = count(1)

    def visit(self, visit: Visit) -> dict[str, str | float]:
        """Click, and tell what came of it.

        Raises:
            ServiceFailed: a page was not drawn, or showed an error.
        """
        if visit.seconds:
            # the first drawing of a page loads what the others find: it is not what is to be measured
            self._click(visit)
        took: list[float] = []
        ends = time.perf_counter() + visit.seconds
        while not took or time.perf_counter() < ends:
            seconds, visitor = self._click(visit)
            took.append(seconds)
            if visitor.refusals:
                raise ServiceFailed(visitor.refusal)
            if not visitor.version and not (visit.new and visit.strategy == "database"):
                raise ServiceFailed(f"the page of {visit.strategy} was drawn without an answer: {' '.join(visitor.said)[-300:]}")
        p50, p99 = np.percentile(took, [50, 99])
        newest = str(visitor.table[0].get("file", "")) if visitor.table else ""
        return {"version": visitor.version, "newest": newest, "clicks": len(took), "p50_seconds": float(p50), "p99_seconds": float(p99)}

    def _click(self, visit: Visit) -> tuple[float, Visitor]:
        looks = visit.new and visit.strategy == "database"
        key = (visit.pages, "" if visit.alone else visit.strategy, LOOK_AGAIN if looks else BUTTONS[visit.strategy])
        changed = (next(self._values) % SHARES + 1) / SHARES if visit.new and not looks else None
        visitor = self._there.get(key)
        try:
            if visitor is None:
                visitor = self._there[key] = Visitor(*key)
            seconds = visitor.click(changed)
        except ServiceFailed:
            if visitor is None or not visitor.lost:
                raise
            visitor.close()
            # else the next line would find the lost one again if this fails
            del self._there[key]
            visitor = self._there[key] = Visitor(*key)
            seconds = visitor.click(changed)
        if changed is not None and not visitor.refusals and not any(CHANGED in one for one in visitor.said):
            raise ServiceFailed(f"the page of {visit.strategy} has not taken the changed feature")
        return seconds, visitor


def answers(lines: Iterable[str]) -> Iterable[str]:
    """The answer to each line, as JSON."""
    visitors = Visitors()
    for line in lines:
        try:
            yield json.dumps(visitors.visit(Visit.model_validate_json(line)))
        except ServiceFailed as exc:
            yield json.dumps({"failed": str(exc)})


if __name__ == "__main__":
    for answer in answers(sys.stdin):
        print(answer, flush=True)  # noqa: T201  the answer
