"""What a person sees while a run runs: a live display on a terminal, plain lines with their time elsewhere; always on stderr."""

import shutil
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from cli.logs import SAID
from cli.picture import Seen, picture
from strategies.errors import WitnessLost
from strategies.events import AGAIN, AnyEvent, Ended, Looked, Noted, ObjectiveSet, Settled, StepEnded, StepStarted
from strategies.judgement import Judgement, MetricJudgement
from strategies.plan import Plan

if TYPE_CHECKING:
    from rich.live import Live

    from cli.clock import SystemClock
    from impact.rundir import RunFolder
    from impact.userlog import UserLog

LINE_EVERY = 5.0
"""Seconds between two lines about the same analysis where there is no live display."""
REFRESH_EVERY = 0.25


class Talk(StrEnum):
    """How much is said while a run runs."""

    QUIET = "quiet"
    """Nothing; errors and what it cost are told all the same."""
    NORMAL = "normal"
    VERBOSE = "verbose"
    """Each look at the users' counts, too."""


class Display:
    """Shows events as they are written, and the users' figures in between.

    Attributes:
        seen: what the events so far have told.
    """

    def __init__(self, talk: Talk = Talk.NORMAL) -> None:
        self._talk = talk
        self._live: Live | None = None
        self.seen = Seen()
        self._plan: Plan | None = None
        self._tried: set[str] = set()
        self._line_at = 0.0
        self._refreshed_at = 0.0

    def say(self, text: str, at: datetime | None = None) -> None:
        """One line with its time, `at` or now."""
        SAID.info(text)
        if self._talk is Talk.QUIET:
            return
        line = _folded(f"{at or datetime.now(UTC):%H:%M:%S} {text}")
        # nobody watches any more (a closed terminal, a broken pipe): that must not end a rollout half-way
        with suppress(OSError):
            if self._live:
                self._live.console.print(line, highlight=False, markup=False)
            else:
                print(line, file=sys.stderr, flush=True)

    def show(self, event: AnyEvent) -> None:
        """Take an event in, and say what a reader wants to know of it."""
        before = self.seen.judgement
        self.seen.take(event, self._plan)
        match event:
            case StepStarted(title=title, way_back=way_back):
                self._try(f"{'way back: ' if way_back else ''}{title}", event.at)
            case StepEnded():
                self._tried.clear()
            case ObjectiveSet(seconds=seconds, source=source):
                self.say(f"slower than {1000 * seconds:.0f} ms counts as slow ({source})", event.at)
            case Settled():
                probes = f", {event.probes} of them our own probes" if event.probes else ""
                settled = f"settled after {event.seconds:.2f} s: {event.candidate} of {event.answers} answers from the candidate{probes}"
                self.say(settled, event.at)
            case Looked(judgement=judgement):
                self._look(judgement, before, event.at)
            case Noted(text=text):
                (self._try if text.startswith(AGAIN) else self.say)(text, event.at)
            case Ended(outcome=outcome, reason=reason, left=left):
                self.say(f"{outcome}: {reason}" + (f"; left to do: {left}" if left else ""), event.at)
            case _:
                pass

    def _try(self, text: str, at: datetime) -> None:
        """Say once what is tried, and why again: a fault that lasts would else fill the screen, twice a second."""
        if text not in self._tried:
            self._tried.add(text)
            self.say(text, at)

    @contextmanager
    def showing(self, folder: "RunFolder", log: "UserLog", clock: "SystemClock") -> Iterator[None]:
        """Draw while the run runs; on anything but a terminal only lines are written."""
        self._plan = folder.run.plan
        if self._talk is Talk.QUIET or not sys.stderr.isatty():
            yield
            return
        from rich.console import Console
        from rich.live import Live

        def draw() -> None:
            now = time.monotonic()
            if self._live and now - self._refreshed_at >= REFRESH_EVERY:
                self._refreshed_at = now
                with suppress(WitnessLost, OSError):
                    log.poll()
                    width = self._live.console.width
                    self._live.update(picture(folder.run, self.seen, log.requests, now=time.time(), width=width), refresh=True)

        clock.watchers.append(draw)
        try:
            with Live(console=Console(stderr=True), auto_refresh=False, transient=True) as self._live:
                yield
        finally:
            self._live = None
            clock.watchers.remove(draw)

    def _look(self, judgement: Judgement, before: Judgement | None, at: datetime) -> None:
        """Between two looks that say the same, a line is due only every few seconds, or none where there is a live display."""
        seen = self.seen
        changed = before is None or judgement.verdict is not before.verdict
        due = self._talk is Talk.VERBOSE or changed or (not self._live and time.monotonic() - self._line_at >= LINE_EVERY)
        if not due:
            return
        self._line_at = time.monotonic()
        self.say(f"{seen.phases[-1][0] if seen.phases else 'starting'}: {judgement.verdict} {judgement.reason}", at)
        for metric in judgement.metrics:
            self.say(f"  {_explained(metric)}", at)


def _folded(line: str) -> str:
    """The line with what does not fit the terminal beneath its words; in a file, or for a program, as it is."""
    if not sys.stderr.isatty():
        return line
    indent = " " * (len("00:00:00 ") + len(line[9:]) - len(line[9:].lstrip()))
    return textwrap.fill(line, max(20, shutil.get_terminal_size().columns), subsequent_indent=indent, break_on_hyphens=False)


def _explained(metric: MetricJudgement) -> str:
    """A metric's sentence with the evidence and the limit at which harm is proved."""
    return f"{metric.explanation}; evidence {metric.evidence:.1f} of {metric.limit:.1f}"
