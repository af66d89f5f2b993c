"""What a run's users send, the same wherever it is gone on with: kept with the cluster by the machine that began the run."""

from collections.abc import Callable
from pathlib import Path

from impact.rundir import RunFolder, replace_whole
from platforms.kubernetes.cases import CasesRecord

NAME = "cases.csv"
"""In the folder of a run that was begun with another machine's store."""


class RecordedCases:
    """The cases of runs, by way of `record`."""

    def __init__(self, record: CasesRecord) -> None:
        self._record = record

    def of(self, folder: RunFolder, here: Path, say: Callable[[str], None]) -> Path:
        """The file to read them from: `here`, this machine's own, if it began the run or has the very same ones.

        Where neither the cluster nor this machine has any, it is `here` too, of which a reader then says that it is missing. `say` is
        told if others will not find them, or if they are not the run's own.

        Raises:
            StoreRefused: the cluster does not tell or take them, or the disk does not.
        """
        kept, own = self._record.read(), _content(here)
        if kept and kept.run == folder.run.id:
            return here if kept.content == own else replace_whole(folder.path / NAME, kept.content)
        if own is not None:
            if not self._record.write(folder.run.id, own):
                say(f"{here} is too large to be kept with the cluster; whoever goes on with this run elsewhere needs a copy of it")
            return here
        if kept is None:
            return here
        say(f"this run's own cases are not known here; its users send those of {kept.run}")
        return replace_whole(folder.path / NAME, kept.content)


def _content(file: Path) -> bytes | None:
    """What is in it; None where it cannot be read, of which those who need it tell."""
    try:
        return file.read_bytes()
    except OSError:
        return None
