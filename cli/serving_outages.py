"""What fails when the model store, the service or the database is down: each is taken away for real, under somebody who asks."""

from collections.abc import Iterator
from contextlib import contextmanager

from cli.serving_bench import NEW, STRATEGIES, Bench
from strategies.errors import ToolFailed

PARTS = ("store", "service", "database")
MOMENTS = ("before", "during", "start", "after")
"""While it is there, while it is away, whoever starts while it is away, and whoever asked all along once it is back."""


def outages(bench: Bench) -> dict[str, dict[str, dict[str, str]]]:
    """By part and strategy what is answered at each of `MOMENTS`. The bench serves the new version in all ways, as it did before."""
    bench.embed(NEW)
    bench.choose(NEW)
    bench.predict(NEW)
    return {part: {**{strategy: _asked(bench, part, strategy) for strategy in STRATEGIES}, "batch": _batch(bench, part)} for part in PARTS}


def _asked(bench: Bench, part: str, strategy: str) -> dict[str, str]:
    bench.start_service()
    with bench.user(strategy) as ask:
        said = {"before": ask()}
        with _without(bench, part):
            said["during"] = ask()
            said["start"] = _started(bench, part, strategy)
        bench.start_service()
        said["after"] = ask()
    return said


def _started(bench: Bench, part: str, strategy: str) -> str:
    try:
        if strategy == "service" and part != "service":
            # the service is what would start anew, and whoever asks it
            bench.start_service()
        with bench.user(strategy) as ask:
            return ask()
    except ToolFailed as failure:
        return bench.plain(failure.stderr)


def _batch(bench: Bench, part: str) -> dict[str, str]:
    """A batch that starts, and the same once more: what is in the database by then."""
    said = {"before": _performed(bench), "during": "–"}
    rows = bench.rows()
    with _without(bench, part):
        said["start"] = _performed(bench)
    after = _performed(bench)
    said["after"] = after if bench.rows() == rows else f"{bench.rows()} rows, and not {rows}"
    return said


def _performed(bench: Bench) -> str:
    try:
        bench.predict(NEW)
    except ToolFailed as failure:
        return bench.plain(failure.stderr)
    return f"{bench.rows()} rows"


@contextmanager
def _without(bench: Bench, part: str) -> Iterator[None]:
    if part == "service":
        bench.end_service()
        yield
        return
    place = bench.store if part == "store" else bench.database
    away = bench.folder / "away"
    place.rename(away)
    try:
        if part == "database":
            # a file that is missing would be made anew by a batch; a database that is down is not
            place.mkdir()
        yield
    finally:
        if part == "database":
            place.rmdir()
        away.rename(place)
