"""`runs/<id>/`: the record of a run on disk.

plan.json       what was asked for, written once before anything happens
events.jsonl    what happened, one event a line, each on disk before the next thing is done
control.jsonl   what persons asked for while it ran, one word a line
requests/       the users' log, one file for each time that users were started
cases.csv       what its users send, where that is not what this machine's store has
summary.json    what it did to the users
report.html     the same, to look at

Files that are written whole are replaced by rename, so that a reader sees the old one or the new one and never half
of one. A line of events that was torn by a kill or a full disk is ignored by readers and removed by the next writer.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import TypeVar

import msgspec

from impact.summary import Summary
from strategies.errors import StoreRefused, UsageError
from strategies.events import AnyEvent
from strategies.run import Run

T = TypeVar("T")

_encode = msgspec.json.Encoder().encode
_decode_event: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)


def run_id(started: datetime, strategy: str, from_version: str, to_version: str) -> str:
    """A run's name, such as 20261122-184512-canary-v1-v2: sorted by name is sorted by time."""
    words = (f"{started.astimezone(UTC):%Y%m%d-%H%M%S}", strategy, from_version, to_version)
    return "-".join(re.sub(r"[^A-Za-z0-9._-]+", "_", word) for word in words if word)


class RunFolder:
    """One run's folder. All of its methods raise StoreRefused if the disk or what is on it does not allow them.

    Attributes:
        path: the folder.
        run: its plan.json.
        requests: the folder of the users' log.
    """

    def __init__(self, path: Path, run: Run) -> None:
        self.path = path
        self.run = run
        self.requests = path / "requests"
        self._events = path / "events.jsonl"

    @classmethod
    def create(cls, runs: Path, run: Run) -> "RunFolder":
        """A new folder for `run`. If another run has taken its id, a number is added to it: see `.run.id`."""
        with _refusing(runs):
            runs.mkdir(parents=True, exist_ok=True)
            for number in count(1):
                named = run if number == 1 else msgspec.structs.replace(run, id=f"{run.id}-{number:02}")
                folder = cls(runs / named.id, named)
                try:
                    folder.path.mkdir()
                except FileExistsError:
                    continue
                break
            folder.requests.mkdir()
            folder._events.touch()
            _sync_folder(runs)
        replace_whole(folder.path / "plan.json", msgspec.json.format(_encode(named)))
        return folder

    @classmethod
    def open(cls, path: Path) -> "RunFolder":
        """The folder of a run that was begun before."""
        return cls(path, _read(path / "plan.json", Run))

    @property
    def report(self) -> Path:
        """Where the report is, once it is written."""
        return self.path / "report.html"

    @property
    def control(self) -> Path:
        """Where persons leave their words while it runs."""
        return self.path / "control.jsonl"

    def write(self, event: AnyEvent) -> None:
        """Append an event; it is on disk when this returns."""
        with _refusing(self._events), self._events.open("a+b") as file:
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)
            file.write(_encode(event) + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def events(self) -> tuple[AnyEvent, ...]:
        """What happened so far, oldest first."""
        with _refusing(self._events):
            data = self._events.read_bytes() if self._events.exists() else b""
        events: list[AnyEvent] = []
        for number, line in enumerate(data[: data.rfind(b"\n") + 1].splitlines(), start=1):
            try:
                events.append(_decode_event.decode(line))
            except msgspec.DecodeError as error:
                raise StoreRefused(f"line {number} of {self._events} is not an event: {error}") from error
        return tuple(events)

    def new_log_path(self) -> Path:
        """The file for the users that are started next: requests/001.csv, 002.csv after a resume, and so on."""
        taken = {path.name for path in self.requests.glob("*.csv")}
        return next(self.requests / name for number in count(1) if (name := f"{number:03}.csv") not in taken)

    def write_summary(self, summary: Summary) -> Path:
        """Write summary.json."""
        return replace_whole(self.path / "summary.json", msgspec.json.format(_encode(summary)))

    def read_summary(self) -> Summary | None:
        """The summary; None if the run has none yet."""
        path = self.path / "summary.json"
        return _read(path, Summary) if path.exists() else None

    def write_report(self, html: str) -> Path:
        """Write report.html."""
        return replace_whole(self.report, html.encode())


def list_runs(runs: Path) -> list[RunFolder]:
    """All runs, newest first; a folder without plan.json is none, as nothing was done in it."""
    plans = sorted(runs.glob("*/plan.json"), key=lambda plan: plan.parent.name, reverse=True)
    return [RunFolder.open(plan.parent) for plan in plans]


def find_run(runs: Path, name: str = "") -> RunFolder:
    """The run with this id, or with the only id that begins so; without a name the newest.

    Raises:
        UsageError: there is no such run, or more than one.
        StoreRefused: its plan.json cannot be read.
    """
    found = sorted(plan.parent for plan in runs.glob("*/plan.json") if plan.parent.name.startswith(name))
    if not found:
        raise UsageError(f"no run in {runs} begins with {name!r}; `labctl runs` lists them" if name else f"there is no run in {runs} yet")
    if not name:
        return RunFolder.open(found[-1])
    if len(found) > 1 and found[0].name != name:
        raise UsageError(f"{len(found)} runs begin with {name!r}, such as {found[0].name} and {found[1].name}; give more of the id")
    return RunFolder.open(found[0])


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreRefused(f"{path} cannot be read or written: {error.strerror}; make it possible, then try again") from error


def _read(path: Path, kind: type[T]) -> T:
    with _refusing(path):
        data = path.read_bytes()
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.DecodeError as error:
        raise StoreRefused(f"{path} is damaged, or of another version of the lab: {error}") from error


def replace_whole(path: Path, content: bytes) -> Path:
    """Write a file so that a reader sees the old one or the new one and never half of one; on disk when this returns.

    Raises:
        StoreRefused: the disk does not allow it.
    """
    partial = path.with_name(f".{path.name}.partial")
    with _refusing(path):
        try:
            with partial.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        _sync_folder(path.parent)
    return path


def _sync_folder(path: Path) -> None:
    """A new name is on disk only when its folder is."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
