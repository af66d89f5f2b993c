"""What onlookers ask of a lab: one question for all of them that ask within a moment, and one at a time.

A page of a run, the list and several browsers would each ask a cluster every second; and what a cluster knows of a run that
is carried out elsewhere is written into a folder here, which two at once would write twice.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from cli.labs import Holder, Lab
from impact.rundir import RunFolder
from strategies.errors import LabError

MOMENT = 0.5
"""Seconds for which an answer is good."""


class Standing(NamedTuple):
    """Who changes a lab, and the folder of the run that does; each None if there is none."""

    holder: Holder | None
    run: Path | None


class Onlookers:
    """All who look on at the lab that `find` finds. Nothing is asked before somebody looks: a lab may not be there any more."""

    def __init__(self, find: Callable[[], Lab]) -> None:
        self._find = find
        self._lab: Lab | None = None
        self._one = threading.Lock()
        self._until = 0.0
        self._answer: Standing | LabError = Standing(None, None)

    @contextmanager
    def lab(self) -> Iterator[Lab]:
        """The lab itself, for one who does more than look; the others wait meanwhile.

        Raises:
            LabError: it cannot be found.
        """
        with self._one:
            yield self._found()

    def standing(self) -> Standing:
        """How it stands with the lab, as of a moment ago at most.

        Raises:
            LabError: it cannot be asked.
        """
        with self._one:
            if time.monotonic() >= self._until:
                self._answer = self._asked()
                self._until = time.monotonic() + MOMENT
            answer = self._answer
        if isinstance(answer, LabError):
            raise answer
        return answer

    def now(self, folder: RunFolder) -> RunFolder:
        """The folder of a run with all that the lab knows of it by now.

        Raises:
            LabError: the lab cannot be asked.
        """
        with self.lab() as lab:
            return lab.now(folder)

    def _found(self) -> Lab:
        self._lab = self._lab or self._find()
        return self._lab

    def _asked(self) -> Standing | LabError:
        try:
            lab = self._found()
            changing = lab.run()
            return Standing(lab.holder(), changing.path.resolve() if changing else None)
        except LabError as error:
            return error
