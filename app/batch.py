"""Predict a file of observations into a database: `python -m app.batch INPUT --store URL --version V [--database URL] [--schedule CRON]`.

It may be killed and repeated at any time: no row is lost or doubled. A row that cannot be predicted is written as refused, with
the reason. Memory is bounded by the chunk, not by the input.

Exit codes: 0; 2 the store has no such version, or the schedule is none; 3 input, store or database fail; 130 (Ctrl-C) and 143 (SIGTERM)
told to stop before the end. With a schedule that has begun: 0, as it ends only by being told to.
"""

import argparse
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.errors import AppError, InputRefused
from app.loading import load_from
from app.model import Model
from app.predictions.database import open_database
from app.predictions.migrating import migrate
from app.predictions.observations import digest, read, refusals
from app.predictions.progress import Progress
from app.predictions.schedule import Schedule
from app.predictions.writing import Run

DEFAULT_DATABASE = "sqlite:///predictions.db"
DATABASE_VARIABLE = "MODEL_API_DATABASE"
ROWS_PER_CHUNK = 10_000
STOPPED = 143


def predict(model: Model, values: NDArray[np.float64]) -> list[dict[str, Any]]:
    """A prediction and its probability, or a refusal, for each row of `values`, shape (n, features)."""
    refused = refusals(values, model.card)
    asked = [row for row in range(len(values)) if row not in refused]
    probabilities, failed = model.predict_batch(values[asked])
    answers: list[dict[str, Any]] = [{"prediction": None, "probability": None, "refusal": refused.get(row)} for row in range(len(values))]
    for index, row in enumerate(asked):
        if index in failed:
            answers[row]["refusal"] = failed[index]
        else:
            likeliest = int(probabilities[index].argmax())
            answers[row] |= {"prediction": model.card.classes[likeliest], "probability": float(probabilities[index, likeliest])}
    return answers


def perform(options: argparse.Namespace, stop: threading.Event) -> bool:
    """One run from the input's beginning to its end; False if it was told to stop before.

    Raises:
        AppError: of any kind that the input, the store and the database have.
    """
    progress = Progress(sys.stderr)
    # before the model, which takes longer: a database that is down is told at once
    engine = open_database(options.database, writes=True)
    try:
        migrate(engine)
        model = load_from(options.store, options.version, options.sha256)
        name, before = options.input, _state(options.input)
        run = Run(engine, model.card, digest(name), name.name)
        run.begin()
        earlier, started = run.done, time.monotonic()
        counted = started
        for chunk in read(name, [feature.name for feature in model.card.features], options.chunk):
            if stop.is_set():
                progress.end()
                sys.stderr.write(f"stopped after {run.done} rows of {name}: the same command goes on from there\n")
                return False
            while run.done < chunk.first + len(chunk.values):
                answers = predict(model, chunk.values[run.done - chunk.first :])
                if _state(name) != before:
                    raise InputRefused(f"{name} changed while it was read: write it under another name and move it into its place")
                # all of the time: reading, predicting, and writing the chunk before
                counted, since = time.monotonic(), counted
                run.write(run.done, answers, counted - since)
            progress.show(chunk.share, chunk.first + len(chunk.values), time.monotonic() - started)
        progress.end()
        rows, refused = run.end(time.monotonic() - counted)
    finally:
        engine.dispose()
    print(  # noqa: T201  the answer
        f"{rows} rows of {name} predicted by {model.card.version}"
        f"{f', {earlier} of them before' if earlier else ''}{f'; {refused} refused' if refused else ''}",
        flush=True,
    )
    return True


def check(options: argparse.Namespace) -> None:
    """Refuse what every run would fail on: who sets up a schedule must not find it out hours later.

    Raises:
        AppError: of any kind that the input, the store and the database have.
    """
    _state(options.input)
    engine = open_database(options.database, writes=True)
    try:
        migrate(engine)
    finally:
        engine.dispose()
    model = load_from(options.store, options.version, options.sha256)
    next(read(options.input, [feature.name for feature in model.card.features], 1), None)


def _state(path: Path) -> tuple[int, int]:
    try:
        stat = path.stat()
    except OSError as exc:
        raise InputRefused(f"{path} cannot be read ({exc.strerror}): give a CSV or Parquet file") from exc
    return stat.st_size, stat.st_mtime_ns


def attempt(perform_once: Callable[[], bool]) -> int:
    """The exit code of one run; what went wrong is told on stderr."""
    try:
        return 0 if perform_once() else STOPPED
    except AppError as exc:
        sys.stderr.write(f"{exc}\n")
        return exc.exit_code


def main(arguments: Sequence[str] | None = None) -> int:
    """Run once, or by a schedule until a signal."""
    parser = argparse.ArgumentParser(prog="python -m app.batch", description="Predict a file of observations into a database.")
    parser.add_argument("input", type=Path, help="CSV with a header, or Parquet: a column per feature, a row per observation")
    parser.add_argument("--store", required=True, metavar="URL", help="the model store: a folder, file:// or s3://")
    parser.add_argument("--version", required=True, help="which of its versions predicts")
    parser.add_argument("--sha256", metavar="HEX", help="the digest that the model must have")
    parser.add_argument(
        "--database",
        default=os.environ.get(DATABASE_VARIABLE, DEFAULT_DATABASE),
        metavar="URL",
        help=f"sqlite:///FILE or postgresql://; default {DATABASE_VARIABLE}, which hides a password, else {DEFAULT_DATABASE}",
    )
    parser.add_argument("--chunk", type=int, default=ROWS_PER_CHUNK, metavar="ROWS", help="rows per transaction (default %(default)s)")
    parser.add_argument("--schedule", metavar="CRON", help='again and again, such as "0 * * * *" for every hour, in UTC')
    options = parser.parse_args(arguments)
    if options.chunk < 1:
        parser.error("--chunk must be at least 1")
    stop, signals = threading.Event(), list[int]()

    def asked(signum: int, _frame: object) -> None:
        signals.append(signum)
        stop.set()
        # a database that hangs lets nobody look at `stop`: who asks again ends it at once, by which no row is lost either
        signal.signal(signum, signal.SIG_DFL)

    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, asked)
    if not options.schedule:
        ended = attempt(lambda: perform(options, stop))
        return 128 + signals[0] if ended == STOPPED else ended
    try:
        schedule = Schedule(options.schedule)
        check(options)
        while schedule.wait(stop, sys.stderr):
            # a failure is told and not the end: the next time the store or the database may be back
            attempt(lambda: perform(options, stop))
    except AppError as exc:
        sys.stderr.write(f"{exc}\n")
        return exc.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
