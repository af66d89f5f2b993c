"""Judging while time passes: every wait of a rollout goes through here, so that nothing is waited for that is not watched.

A person may shorten or stretch a wait by a word; what is watched meanwhile is judged on all the same.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from math import inf

import msgspec

from strategies.events import AnyEvent, Looked, Noted
from strategies.judgement import Judgement, Verdict
from strategies.plan import Analyse, Gate, Hold, Step, Subject
from strategies.steering import Control, Steering
from strategies.traffic import Traffic
from strategies.waiting import Clock
from strategies.witness import Witness

LOOK_EVERY = 0.5
"""Seconds between two looks at the counts; the test is always valid, so looking costs nothing but work."""


class Watched:
    """What is being judged: `of` whom, sent since when, under which traffic."""

    def __init__(self, since: datetime, of: Subject, traffic: Traffic) -> None:
        self.since, self.of, self.traffic = since, of, traffic


class Judging:
    """Waits and judges; `write` takes the events, `control` is asked for persons' words, `guard` is called while nothing is judged.

    Attributes:
        found: what the last analysis said, in a sentence; empty before the first.
    """

    def __init__(
        self,
        *,
        witness: Witness,
        write: Callable[[AnyEvent], None],
        clock: Clock,
        control: Control,
        guard: Callable[[], None],
        promoted: bool,
    ) -> None:
        self._witness = witness
        self._write = write
        self._clock = clock
        self._guard = guard
        self._steering = Steering(control, self._note, promoted=promoted)
        self._analysed_since: datetime | None = None
        self._watched: Watched | None = None
        self.found = ""

    @property
    def undone(self) -> bool:
        """Whether a person wants everybody to have the old version again; means nothing before a promotion."""
        return self._steering.undone

    def nothing_to_undo_so_far(self) -> None:
        """Promoted only now: whoever asked to undo something before did not mean this."""
        self._steering.hear(waiting=False)
        self._steering.promoted = True

    def hear_too_late(self) -> None:
        """Write down which words come too late, as the run is at its end.

        Raises:
            LabError: nobody can be asked for words.
        """
        self._steering.hear_too_late()

    def analyse(self, step: Analyse, traffic: Traffic) -> Judgement | None:
        """Carry out an analysis; a judgement only if it forbids to go on.

        Raises:
            LabError: nobody can be asked.
        """
        self._witness.begin(step.of)
        self._watched = Watched(self._clock.now(), step.of, traffic)
        self._analysed_since = self._watched.since
        judgement = self.wait(step.seconds, final=True) or self._cut_short(step)
        if judgement is not None:
            if judgement.verdict is not Verdict.PASS or (step.needs_winner and not judgement.winner):
                return judgement
            self.found = judgement.reason
        self.hear_second_witness()
        return None

    def _cut_short(self, step: Analyse) -> Judgement | None:
        """The rest of an analysis is not waited for: its last judgement if that is the result, else None: a person answers for it.

        Raises:
            LabError: nobody can be asked.
        """
        self._note("the rest of the analysis was not waited for, as a person asked")
        if not step.of.is_the_result:
            return None
        seconds = (self._clock.now() - self._watched.since).total_seconds() if self._watched else 0.0
        judgement = self._look(final=True)
        if judgement is None or judgement.verdict is not Verdict.INCONCLUSIVE:
            return judgement
        asked = f"a person asked to go on after {seconds:.1f} of {step.seconds:g} s, so this was the last look"
        return msgspec.structs.replace(judgement, reason=f"{judgement.reason}; {asked}")

    def forget(self) -> None:
        """Watch nothing until the next analysis: what was judged is over."""
        self._watched = None

    def wait_while_paused(self, upcoming: Sequence[Step]) -> Judgement | None:
        """Before `upcoming`, stay as long as a person wants to; the candidate is judged on. A judgement only if it forbids to go on.

        An analysis waits by itself: a candidate that has just got its share is judged also while paused.

        Raises:
            LabError: the candidate cannot be judged any more.
        """
        self._steering.hear(waiting=False)
        waits_itself = any(isinstance(step, Analyse | Gate | Hold) for step in upcoming)
        return self.wait(0.0) if self._steering.paused and not waits_itself else None

    def hear_second_witness(self) -> None:
        """Write down what Prometheus counted during the last analysis, once.

        Raises:
            WitnessLost: it cannot be asked.
        """
        since, self._analysed_since = self._analysed_since, None
        if since:
            self._write(self._witness.second_witness(since, self._clock.now()))

    def watch_stable(self, seconds: float) -> None:
        """Let `seconds` pass in which there is no candidate to judge yet; a person may cut them short."""
        self.forget()
        self.wait(seconds)
        if self._steering.goes_on():
            self._note("the rest of the baseline was not waited for, as a person asked")

    def keep(self, seconds: float) -> None:
        """Let `seconds` pass, for which the old version is kept in case that a person wants it again."""
        self.forget()
        self.wait(seconds, undoable=True)

    def wait(self, seconds: float | None, *, final: bool = False, undoable: bool = False) -> Judgement | None:
        """Let `seconds` pass (None: until a person says so), judging meanwhile what is watched. While paused, time stands still.

        Returns:
            With `final`, the last judgement, or None if a person did not want to wait for it; else only one that forbids to go on.
        """
        self._steering.begin()
        deadline = inf if seconds is None else self._clock.monotonic() + seconds
        last = False
        while not last:
            self._steering.hear()
            now = self._clock.monotonic()
            if self._steering.goes_on() or (undoable and self.undone) or (not final and now >= deadline and not self._steering.paused):
                return None
            self._clock.sleep(LOOK_EVERY if self._steering.paused else max(0.0, min(LOOK_EVERY, deadline - now)))
            if self._steering.paused:
                deadline += self._clock.monotonic() - now
            last = final and self._clock.monotonic() >= deadline and not self._steering.paused
            judgement = self._look(final=last)
            if judgement and (judgement.verdict in {Verdict.FAIL, Verdict.ERROR} or (final and judgement.verdict is Verdict.PASS)):
                return judgement
        return judgement

    def _note(self, text: str) -> None:
        self._write(Noted(at=self._clock.now(), text=text))

    def _look(self, *, final: bool) -> Judgement | None:
        if self._watched is None:
            # the witness notices it in an analysis
            self._guard()
            return None
        judgement = self._witness.look(self._watched.traffic, self._watched.since, final=final, of=self._watched.of)
        self._write(Looked(at=self._clock.now(), judgement=judgement))
        return judgement
