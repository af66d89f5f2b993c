"""The run that a cluster knows of, as a folder on this machine: the one that it has here, else one made of what the cluster knows."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from impact.rundir import RunFolder
from impact.timeline import ended
from platforms.kubernetes.record import Record, Recorded
from strategies.errors import StoreRefused
from strategies.events import Looked, Noted, Outcome


class RecordedRuns:
    """Folders in `runs` for what `record` has."""

    def __init__(self, record: Record, runs: Path) -> None:
        self._record = record
        self._runs = runs

    def current(self) -> RunFolder | None:
        """The run that changes the lab, or that was left behind; None if there is none."""
        recorded = self._record.read()
        return self._folder(recorded) if recorded else None

    def now(self, folder: RunFolder) -> RunFolder:
        """The same run with all that the cluster knows of it by now, also after its end."""
        recorded = self._record.last()
        return self._folder(recorded) if recorded and recorded.run.id == folder.run.id else folder

    def promotion(self) -> RunFolder | None:
        """The last run, if it was promoted."""
        recorded = self._record.last()
        last = ended(recorded.events) if recorded else None
        return self._folder(recorded) if recorded and last and last.outcome is Outcome.PROMOTED else None

    def note(self, folder: RunFolder | None, generation: int) -> None:
        """Have the cluster know of the run in `folder`, or that none changes the lab any more.

        `generation` is the number of the lease under which it is known, 0 without one.
        """
        if folder:
            self._record.write(folder.run, folder.events(), f"{socket.gethostname()}:{folder.path}", generation)
        else:
            self._record.end(generation)

    def _folder(self, recorded: Recorded) -> RunFolder:
        # a page and a terminal that look on at once must not both make the folder, or write down what is new
        with self._alone():
            return self._merged(recorded)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        lock = FileLock(self._runs / ".lock")
        try:
            self._runs.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except OSError as error:
            raise StoreRefused(f"{self._runs} cannot be written ({error.strerror}); choose another folder with LAB_RUNS") from error
        try:
            yield
        finally:
            lock.release()

    def _merged(self, recorded: Recorded) -> RunFolder:
        machine, _, path = recorded.folder.partition(":")
        if machine == socket.gethostname() and (Path(path) / "plan.json").exists():
            folder = RunFolder.open(Path(path))
        elif (self._runs / recorded.run.id / "plan.json").exists():
            folder = RunFolder.open(self._runs / recorded.run.id)
        else:
            folder = RunFolder.create(self._runs, recorded.run)
            elsewhere = f"what its users met is in the users' log, which is on {machine} in {path} and not here"
            folder.write(Noted(at=recorded.run.started, text=elsewhere))
        here = [event for event in folder.events() if not isinstance(event, Looked)]
        for event in recorded.events:
            # somebody went on with it elsewhere
            if event not in here:
                folder.write(event)
        return folder
