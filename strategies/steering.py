"""What a person asks of a rollout while it runs: pause, go on, promote. Asking to end it is a signal, as anywhere."""

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Protocol

from strategies.events import AnyEvent, Noted, StepStarted


class Command(StrEnum):
    """A word from another terminal."""

    PAUSE = "pause"
    """Stay where you are; the candidate is judged on."""
    RESUME = "resume"
    """Go on as planned."""
    PROMOTE = "promote"
    """Go on now: the rest of this baseline, analysis, hold, gate or pause is not waited for."""
    PROMOTE_FULL = "promote --full"
    """The same for this and for all that come after it."""
    UNDO = "undo"
    """While the old version is kept warm after a promotion: everybody back to it, at once."""


NOBODY = "no rollout is under way, so there is nothing to steer; `labctl status` shows what runs"
"""What a word for nobody is answered with."""


ASKED = "a person asked to "
"""What a word is written down as once it is heard, before the word itself."""


def paused(events: Iterable[AnyEvent]) -> bool:
    """Whether a run with these events stands still because a person asked for it."""
    still, begun = False, set[int]()
    for event in events:
        match event:
            case Noted(text=text) if text.startswith(ASKED) and text.removeprefix(ASKED) in set(Command):
                still = text.removeprefix(ASKED) == Command.PAUSE
            # whoever takes a run up again knows of no word to the one before; no way back is paused
            case StepStarted(index=index, way_back=way_back):
                still = still and not way_back and index not in begun
                begun.add(index)
            case _:
                pass
    return still


def undone(events: Iterable[AnyEvent]) -> bool:
    """Whether a person has asked to undo the promotion of a run with these events, which nobody has begun to do."""
    asked = False
    for event in events:
        match event:
            case Noted(text=text) if text == f"{ASKED}{Command.UNDO}":
                asked = True
            case Noted(text=text) if text.endswith(_dropped(Command.UNDO)):
                asked = False
            case StepStarted(way_back=True):
                asked = False
            case _:
                pass
    return asked


def _dropped(command: Command) -> str:
    return f", so the word {command} is dropped"


def known(words: Iterable[str]) -> tuple[Command, ...]:
    """The commands among some words; another release of the lab may have left others."""
    commands = {command.value: command for command in Command}
    return tuple(commands[word] for word in words if word in commands)


class Control(Protocol):
    """Where persons leave their words."""

    def take(self) -> tuple[Command, ...]:
        """What was asked since the last time, oldest first; each word once, and none that was left for a rollout before.

        Raises:
            TakenOver: the rollout is not ours any more.
        """


class Nobody:
    """Implements `Control` where nobody asks for anything."""

    def take(self) -> tuple[Command, ...]:
        """Nothing."""
        return ()


class Steering:
    """What the words so far amount to; `note` is told of each, and of those that have no effect.

    Attributes:
        paused: time stands still for the plan.
        promoted: there is something to undo.
        undone: everybody is to have the old version again.
    """

    def __init__(self, control: Control, note: Callable[[str], None], *, promoted: bool) -> None:
        self._control = control
        self._note = note
        self._skip = False
        self._full = False
        self.paused = False
        self.promoted = promoted
        self.undone = False

    def hear(self, *, waiting: bool = True) -> None:
        """Take in what was asked since the last time; `waiting` tells whether the rollout waits for something now."""
        for command in self._control.take():
            self._note(f"{ASKED}{command}")
            if vain := self._in_vain(command, waiting=waiting):
                # a person who was told that the word was taken would else wait for what never comes
                self._note(f"{vain}{_dropped(command)}")
                continue
            match command:
                case Command.PAUSE:
                    self.paused = True
                case Command.RESUME:
                    self.paused = False
                case Command.PROMOTE:
                    self.paused, self._skip = False, True
                case Command.PROMOTE_FULL:
                    self.paused, self._full = False, True
                case Command.UNDO:
                    self.paused, self.undone = False, True

    def hear_too_late(self) -> None:
        """Tell of what was asked once nothing could be steered any more."""
        for command in self._control.take():
            self._note(f"{ASKED}{command} when the rollout was ending already, so the word is dropped")

    def _in_vain(self, command: Command, *, waiting: bool) -> str:
        """Why a word has no effect; empty if it has one."""
        match command:
            case Command.PROMOTE if not waiting and not self.paused:
                return "nothing waits in this step"
            case Command.RESUME if not self.paused:
                return "nothing is paused"
            case Command.UNDO if not self.promoted:
                return "nothing is promoted yet"
            case _:
                return ""

    def begin(self) -> None:
        """Something to wait for begins: a word that nothing waited for is not kept for it."""
        self._skip = False

    def goes_on(self) -> bool:
        """Whether a person has said not to wait any longer for what is waited for now."""
        return self._skip or self._full
