"""The runs that a page lists, and how each stands: those of the lab's own folder and those of a comparison."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from cli.buttons import Steered
from cli.following import stand
from impact.rundir import RunFolder
from impact.timeline import over
from strategies.errors import LabError, UsageError

Row = dict[str, str]


class Shelf(NamedTuple):
    """A folder of runs, and the lab that they were begun on."""

    runs: Path
    lab: Steered


class Listing:
    """All runs of some shelves. A run that has ended is read once, as the list is asked for again and again."""

    def __init__(self, *shelves: Shelf) -> None:
        self._shelves = shelves
        self._ended: dict[Path, tuple[int, Row]] = {}

    def find(self, name: str) -> tuple[RunFolder, Steered]:
        """The run that is named, by its whole name (a path from a browser names nothing else), and its lab.

        Raises:
            UsageError: there is no such run.
            StoreRefused: it cannot be read.
        """
        for folder, lab in self._folders():
            if folder.name == name:
                return RunFolder.open(folder), lab
        raise UsageError(f"there is no run {name}; `labctl runs` lists them")

    def names(self) -> set[str]:
        """The names of all."""
        return {folder.name for folder, _ in self._folders()}

    def rows(self) -> list[Row]:
        """Each run's `name`, `outcome` and `reason`, the newest first; one that cannot be read says so and hides no other."""
        return sorted((self._row(folder, lab) for folder, lab in self._folders()), key=lambda row: row["name"], reverse=True)

    def _folders(self) -> Iterator[tuple[Path, Steered]]:
        seen = set()
        for shelf in self._shelves:
            for plan in shelf.runs.glob("*/plan.json"):
                seen.add(plan.parent.resolve())
                yield plan.parent, shelf.lab
        for lab in {shelf.lab for shelf in self._shelves}:
            # a rollout on this lab may have been begun elsewhere: in another folder, or on another machine
            with suppress(LabError):
                if (run := lab.standing().run) and run not in seen:
                    yield run, lab

    def _row(self, path: Path, lab: Steered) -> Row:
        try:
            stamp = (path / "events.jsonl").stat().st_mtime_ns
            known = self._ended.get(path)
            if known and known[0] == stamp:
                return known[1]
            folder = RunFolder.open(path)
            found = stand(folder, lab)
        except (LabError, OSError) as error:
            return {"name": path.name, "outcome": "not readable", "reason": str(error)}
        end = over(found.events)
        if end is None:
            return {"name": path.name, "outcome": str(found.state), "reason": found.elsewhere}
        row = {"name": path.name, "outcome": str(end.outcome), "reason": end.reason}
        self._ended[path] = (stamp, row)
        return row
