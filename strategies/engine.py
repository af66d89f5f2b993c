"""The engine: carries out any plan on any platform, and keeps a rollout's promises on every way out.

Why one engine: order, waiting, judging and the way back are the same for every strategy, so they are written, tested
and broken on purpose once. It writes each step down before it starts and after it ended; a rollout is promoted when
the end of its `Promote` step is written, not before. Until then every way out leads back to stable; from then on an
interruption leaves the rest to be completed.
"""

import logging
from collections.abc import Callable
from typing import Protocol

from strategies.errors import CouldNotRun, Interrupted, LabError, TakenOver
from strategies.events import AGAIN, AnyEvent, Ended, Ending, Noted, Outcome, StepEnded, StepStarted
from strategies.judgement import Judgement, Verdict
from strategies.judging import Judging
from strategies.performing import Performer
from strategies.plan import Analyse, Deploy, Gate, Hold, Plan, Promote, Replace, Step, title
from strategies.platform import Platform
from strategies.steering import Control, Nobody
from strategies.waiting import Clock
from strategies.witness import Witness

THEIRS = "what is the other's to do by now"
"""What is left to do of a rollout that somebody else has taken over."""


class Journal(Protocol):
    """Where a run is written down; `write` returns when the event is on disk."""

    def write(self, event: AnyEvent) -> None:
        """Append one event.

        Raises:
            StoreRefused: it cannot be written.
        """


class Engine:
    """One rollout: `run()` carries out `plan` from step `first` on and says how it ended.

    Of a run that is taken up again `promoted` tells whether the promotion is written, and `undone` whether a person has asked to undo it.

    `guard` raises if somebody else has changed what decides who gets which version. It is called before each step on the way
    forward, and all the time while one waits; the way back asks nobody.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        platform: Platform,
        witness: Witness,
        journal: Journal,
        clock: Clock,
        timeout: float,
        promoted: bool = False,
        undone: bool = False,
        control: Control | None = None,
        guard: Callable[[], None] = lambda: None,
    ) -> None:
        self._plan = plan
        self._journal = journal
        self._judging = Judging(
            witness=witness, write=self._write, clock=clock, control=control or Nobody(), guard=guard, promoted=promoted
        )
        self._performer = Performer(
            plan, platform=platform, witness=witness, write=self._write, clock=clock, timeout=timeout, judging=self._judging
        )
        self._guard = guard
        self._clock = clock
        self._timeout = timeout
        self._promoted = promoted
        self._undone = promoted and undone
        self._leaving = False
        self._ending: Ending | None = None

    def run(self, first: int = 0) -> Ended:
        """Carry the plan out from step `first` on; every way out ends with an `Ended` event."""
        index = first
        try:
            if self._undone:
                return self._undo()
            for index in range(first, len(self._plan.steps)):
                self._guard()
                rejection = self._step(index)
                if rejection:
                    return self._go_back(_ending(rejection))
                # a pause that came in the middle of a step begins at its end
                rejection = self._judging.wait_while_paused(self._plan.steps[index + 1 : index + 2])
                if rejection:
                    return self._go_back(_ending(rejection))
                if self._promoted and self._judging.undone:
                    return self._undo()
        except LabError as error:
            return self.give_up(error)
        except Exception as error:
            # a fault of our own must not leave users with a candidate that nobody judges
            logging.exception("step %d failed in a way that nobody foresaw", index)
            return self.give_up(CouldNotRun(f"the lab itself failed: {error!r}"))
        if self._promoted:
            return self._end(Outcome.PROMOTED, 0, self._promotion())
        return self._end(Outcome.COMPLETED, 0, self._judging.found or "all steps done")

    def give_up(self, error: LabError | Ending) -> Ended:
        """End the run because of `error`: back to stable before promotion, on to the end after it. What somebody else has is left alone.

        An `Ending` is that of a way back which was begun already.
        """
        if isinstance(error, Ending):
            return self._go_back(error)
        if isinstance(error, TakenOver):
            return self._end(Outcome.ERROR, error.exit_code, str(error), THEIRS)
        interrupted = isinstance(error, Interrupted)
        if self._promoted:
            return self._complete(f"{error} after promotion, so the rest was completed" if interrupted else f"but then: {error}")
        if interrupted:
            return self._go_back(Ending(outcome=Outcome.INTERRUPTED, exit_code=error.exit_code, reason=f"{error} before promotion"))
        return self._go_back(Ending(outcome=Outcome.ERROR, exit_code=CouldNotRun.exit_code, reason=str(error)))

    def _undo(self) -> Ended:
        """Back although it was promoted: the same way back, as the old version is kept, or else is started again by it."""
        # what is interrupted from here on is to be brought back too, and no longer to be completed
        self._promoted = False
        asked = "a person asked to undo it after its promotion"
        return self._go_back(Ending(outcome=Outcome.INTERRUPTED, exit_code=Interrupted.exit_code, reason=asked))

    def _go_back(self, ending: Ending) -> Ended:
        self._ending = ending
        left = self._persist([(index, step, True) for index, step in enumerate(self._plan.way_back)])
        if left:
            return self._end(Outcome.ERROR, 3, ending.reason, left)
        over = "the experiment is over" if ending.outcome is Outcome.COMPLETED else "rolled back"
        reason = f"{ending.reason}; {over}, stable has all the traffic" if self._plan.way_back else ending.reason
        return self._end(ending.outcome, ending.exit_code, reason)

    def _complete(self, reason: str) -> Ended:
        after = next(index for index, step in enumerate(self._plan.steps) if isinstance(step, Promote)) + 1
        rest = list(enumerate(self._plan.steps))[after:]
        left = self._persist([(index, step, False) for index, step in rest if not isinstance(step, Hold | Gate | Analyse)])
        if left:
            return self._end(Outcome.ERROR, 3, reason, left)
        return self._end(Outcome.PROMOTED, 0, f"{self._promotion()}; {reason}")

    def _persist(self, remaining: list[tuple[int, Step, bool]]) -> str:
        """Carry out steps in spite of faults that pass within the timeout; what is left to do in words, empty if all is done."""
        self._clock.shield()
        self._leaving = True
        deadline = self._clock.monotonic() + self._timeout
        while remaining:
            index, _, way_back = remaining[0]
            try:
                self._step(index, way_back=way_back)
            except TakenOver as error:
                # whoever has the rollout now brings it to its end
                self._note(str(error))
                return THEIRS
            except Exception as error:
                # whatever it is: as long as a step of the way out is not done, users may be where they should not be
                if not isinstance(error, LabError):
                    logging.exception("a step of the way out failed in a way that nobody foresaw")
                if self._clock.monotonic() >= deadline:
                    self._note(f"gave up after {self._timeout:g} s: {error}")
                    return "; ".join(title(step) for _, step, _ in remaining)
                self._note(f"{AGAIN}{error}")
                self._clock.sleep(0.5)
            else:
                remaining.pop(0)
        return ""

    def _end(self, outcome: Outcome, exit_code: int, reason: str, left: str = "") -> Ended:
        self._leaving = True
        try:
            self._judging.hear_second_witness()
        except Exception as error:
            # how the run ended is known already, and no witness changes it
            if not isinstance(error, LabError):
                logging.exception("the second witness failed in a way that nobody foresaw")
            self._note(f"the second witness did not answer: {error}")
        if not left:
            self._hear_too_late()
        ended = Ended(at=self._clock.now(), outcome=outcome, exit_code=exit_code, reason=reason, left=left)
        self._write(ended)
        return ended

    def _hear_too_late(self) -> None:
        try:
            self._judging.hear_too_late()
        except Exception:
            # whoever asked sees that the rollout has ended
            logging.exception("whether words came too late is not known")

    def _promotion(self) -> str:
        """What was promoted, in words."""
        deployed = [step for step in self._plan.steps if isinstance(step, Deploy | Replace)]
        return f"{deployed[-1].release.version} is stable now, in {deployed[-1].slot}" if deployed else "promoted"

    def _step(self, index: int, *, way_back: bool = False) -> Judgement | None:
        """Carry out one step; a judgement only if it forbids to go on."""
        step = (self._plan.way_back if way_back else self._plan.steps)[index]
        ending = self._ending if way_back else None
        self._write(StepStarted(at=self._clock.now(), index=index, title=title(step), way_back=way_back, ending=ending))
        rejection = self._performer.perform(step, way_back=way_back)
        if rejection is None:
            self._write(StepEnded(at=self._clock.now(), index=index, way_back=way_back))
            # only now: what is not on disk did not happen
            if isinstance(step, Promote):
                self._promoted = True
                self._judging.nothing_to_undo_so_far()
        return rejection

    def _note(self, text: str) -> None:
        self._write(Noted(at=self._clock.now(), text=text))

    def _write(self, event: AnyEvent) -> None:
        """Write an event down. On the way out no full disk and no closed terminal may keep users at a candidate that nobody judges."""
        try:
            self._journal.write(event)
        except Exception:
            if not self._leaving:
                raise
            logging.exception("not written down: %r", event)


def _ending(judgement: Judgement) -> Ending:
    """How a run ends whose analysis does not allow to go on."""
    match judgement.verdict:
        case Verdict.PASS:
            outcome, exit_code = Outcome.COMPLETED, 0
        case Verdict.FAIL:
            outcome, exit_code = Outcome.ROLLED_BACK, 1
        case Verdict.ERROR:
            outcome, exit_code = Outcome.ERROR, 3
        case _:
            outcome, exit_code = Outcome.INCONCLUSIVE, 3
    return Ending(outcome=outcome, exit_code=exit_code, reason=judgement.reason)
