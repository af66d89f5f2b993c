"""What fails when the model store, the service or the database is down: each is taken away for real, under somebody who asks.

Who asks is a visitor of the pages. A batch loses the part twice: while it runs, and before it starts.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cli import child
from cli.serving_bench import NEW, STRATEGIES, Bench
from strategies.errors import ToolFailed
from strategies.waiting import wait_until

PARTS = ("store", "service", "database")
MOMENTS = ("before", "during", "start", "after")
"""While it is there, while it is away, whoever starts while it is away, and whoever asked all along once it is back."""
ROWS, CHUNK = 5000, 25
"""Of the batch that runs when a part is taken away: in so many transactions that it is far from its end by then."""
BATCH_SECONDS = 120.0


def outages(bench: Bench) -> dict[str, dict[str, dict[str, str]]]:
    """By part and strategy what is answered at each of `MOMENTS`. The bench serves the new version in all ways from here on."""
    bench.embed(NEW)
    bench.choose(NEW)
    bench.predict(NEW)
    bench.start_service()
    bench.start_pages("all")
    return {part: {**_asked(bench, part), "batch": _batch(bench, part)} for part in PARTS}


def _asked(bench: Bench, part: str) -> dict[str, dict[str, str]]:
    said = {strategy: {"before": _answer(bench, strategy)} for strategy in STRATEGIES}
    with _without(bench, part):
        for strategy in STRATEGIES:
            said[strategy]["during"] = _answer(bench, strategy)
        with bench.other_pages() as pages:
            for strategy in STRATEGIES:
                said[strategy]["start"] = _answer(bench, strategy, pages)
        if part != "service":
            # here it is the service that starts, and the page asks it
            said["service"]["start"] = _said(bench, lambda: _restarted(bench))
    if "service" not in bench.serving:
        # it was to start while the store was away, and could not
        bench.start_service()
    for strategy in STRATEGIES:
        said[strategy]["after"] = _answer(bench, strategy)
    return said


def _batch(bench: Bench, part: str) -> dict[str, str]:
    """A batch with everything there, one that runs when the part is taken away, one that starts then, and the second repeated."""
    small, large, late = (bench.observations(f"{part}-{name}.csv", rows) for name, rows in (("small", 100), ("large", ROWS), ("late", 100)))

    def performed(file: Path) -> str:
        bench.predict(NEW, file)
        return _counted(bench, file)

    said = {"before": _said(bench, lambda: performed(small))}
    with _running(bench, large) as failed:
        with _without(bench, part):
            sentence = failed()
            said["start"] = _said(bench, lambda: performed(late))
        said["during"] = f"{sentence}; {_counted(bench, large)}" if sentence else _counted(bench, large)
    return {**said, "after": _said(bench, lambda: performed(large))}


@contextmanager
def _running(bench: Bench, file: Path) -> Iterator[Callable[[], str]]:
    """A batch that has written some rows and not all; the function waits for its end and tells its sentence, if it failed.

    Raises:
        ToolFailed: it came to its end before anything could be taken away.
    """
    log = bench.folder / "batch.log"
    log.unlink(missing_ok=True)
    with child.running((*bench.batch(NEW, file), "--chunk", str(CHUNK)), {}, log) as process:

        def failed() -> str:
            wait_until(lambda: process.poll() is not None, timeout=BATCH_SECONDS, clock=bench.clock, reason=lambda: "the batch has no end")
            return bench.plain(log.read_text()) if process.returncode else ""

        wait_until(
            lambda: bench.written(file, NEW) > 0 or process.poll() is not None,
            timeout=BATCH_SECONDS,
            clock=bench.clock,
            reason=lambda: "the batch writes nothing",
            every=0.005,
        )
        if process.poll() is not None:
            raise ToolFailed("the batch ended before anything was taken away from it", stderr=failed())
        yield failed


def _counted(bench: Bench, file: Path) -> str:
    return f"{bench.written(file, NEW)} of {len(file.read_bytes().splitlines()) - 1} rows"


def _answer(bench: Bench, strategy: str, pages: str = "") -> str:
    return _said(bench, lambda: f"answers ({bench.visit(strategy, pages=pages, alone=False)['version']})")


def _restarted(bench: Bench) -> str:
    bench.start_service()
    return _answer(bench, "service")


def _said(bench: Bench, do: Callable[[], str]) -> str:
    try:
        return do()
    except ToolFailed as failure:
        return bench.plain(failure.stderr)


@contextmanager
def _without(bench: Bench, part: str) -> Iterator[None]:
    if part == "service":
        bench.end("service")
        yield
        bench.start_service()
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
