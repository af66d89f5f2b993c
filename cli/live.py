"""What a person sees while a run runs: a live display on a terminal, plain lines with their time elsewhere; always on stderr."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from strategies.errors import WitnessLost
from strategies.events import AnyEvent, Ended, Looked, Noted, ObjectiveSet, PhaseStarted, Settled, StepEnded, StepStarted
from strategies.judgement import Judgement, MetricJudgement
from strategies.plan import Promote

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

    from cli.clock import SystemClock
    from impact.rundir import RunFolder
    from impact.userlog import UserLog

LINE_EVERY = 5.0
"""Seconds between two lines about the same analysis where there is no live display."""
REFRESH_EVERY = 0.25
RECENT = 5.0
"""Seconds that the live figures look back."""


class Display:
    """Shows events as they are written, and the users' figures in between."""

    def __init__(self) -> None:
        self._live: Live | None = None
        self._doing = ""
        self._steps_done = 0
        self._since = 0.0
        self._weight = 0
        self._name = "starting"
        self._judgement: Judgement | None = None
        self._line_at = 0.0
        self._refreshed_at = 0.0

    def say(self, text: str, at: datetime | None = None) -> None:
        """One line with its time, `at` or now."""
        line = f"{at or datetime.now(UTC):%H:%M:%S} {text}"
        # nobody watches any more (a closed terminal, a broken pipe): that must not end a rollout half-way
        with suppress(OSError):
            if self._live:
                self._live.console.print(line, highlight=False, markup=False)
            else:
                print(line, file=sys.stderr, flush=True)

    def show(self, event: AnyEvent) -> None:
        """Take an event in, and say what a reader wants to know of it."""
        match event:
            case StepStarted(title=title, way_back=way_back):
                self._doing = title
                self.say(f"{'way back: ' if way_back else ''}{title}", event.at)
            case StepEnded(index=index, way_back=False):
                self._steps_done = index + 1
            case PhaseStarted(at=at, name=name, weight=weight):
                self._name, self._weight, self._judgement, self._since = name, weight, None, at.timestamp()
            case ObjectiveSet(seconds=seconds, source=source):
                self.say(f"slower than {1000 * seconds:.0f} ms counts as slow ({source})", event.at)
            case Settled():
                self._since = event.at.timestamp()
                probes = f", {event.probes} of them our own probes" if event.probes else ""
                settled = f"settled after {event.seconds:.2f} s: {event.candidate} of {event.answers} answers from the candidate{probes}"
                self.say(settled, event.at)
            case Looked(judgement=judgement):
                self._look(judgement, event.at)
            case Noted(text=text):
                self.say(text, event.at)
            case Ended(outcome=outcome, reason=reason, left=left):
                self.say(f"{outcome}: {reason}" + (f"; left to do: {left}" if left else ""), event.at)
            case _:
                pass

    @contextmanager
    def showing(self, folder: "RunFolder", log: "UserLog", clock: "SystemClock") -> Iterator[None]:
        """Draw while the run runs; on anything but a terminal only lines are written."""
        if not sys.stderr.isatty():
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
                    self._live.update(self._picture(folder, log), refresh=True)

        clock.watchers.append(draw)
        try:
            with Live(console=Console(stderr=True), auto_refresh=False, transient=True) as self._live:
                yield
        finally:
            self._live = None
            clock.watchers.remove(draw)

    def _look(self, judgement: Judgement, at: datetime) -> None:
        """Between two looks that say the same, a line is due only every few seconds."""
        changed = self._judgement is None or judgement.verdict is not self._judgement.verdict
        self._judgement = judgement
        if not changed and (self._live or time.monotonic() - self._line_at < LINE_EVERY):
            return
        self._line_at = time.monotonic()
        self.say(f"{self._name}: {judgement.verdict} {judgement.reason}", at)
        for metric in judgement.metrics:
            self.say(f"  {_explained(metric)}", at)

    def _picture(self, folder: "RunFolder", log: "UserLog") -> "RenderableType":
        """The phase, the shares, the roles' last seconds and the verdict so far."""
        from rich.console import Group
        from rich.panel import Panel
        from rich.table import Table
        from rich.text import Text

        from impact.measures import latency_percentile_ms, sent_since

        run, now = folder.run, time.time()
        # what was before a change of routes says nothing of the shares after it
        since = max(self._since, now - RECENT)
        recent = sent_since(log.requests, since)
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
        for heading in ("role", "version", "requests/s", "failed", "wrong", "p95 ms", "served"):
            table.add_column(heading, justify="left" if heading in {"role", "version"} else "right")
        attributed = sum(request.slot is not None for request in recent)
        promoted = any(isinstance(step, Promote) for step in run.plan.steps[: self._steps_done])
        roles = ("old", "stable") if promoted else ("stable", "candidate")
        for role, slot, version in zip(roles, (run.stable, run.candidate), (run.from_version, run.to_version), strict=True):
            own = [request for request in recent if request.slot is slot]
            p95 = latency_percentile_ms(own, 0.95)
            table.add_row(
                f"{role} ({slot})",
                version,
                f"{len(own) / max(now - since, 0.5):.1f}",
                str(sum(request.failed for request in own)),
                str(sum(request.wrong for request in own)),
                "–" if p95 is None else f"{p95:.1f}",
                f"{100 * len(own) / attributed:.0f} %" if attributed else "–",
            )
        lines: list[RenderableType] = [
            Text(f"{self._name}   intended candidate weight {self._weight} %"),
            Text(self._doing, style="dim"),
            table,
        ]
        if self._judgement:
            lines.append(Text(f"{self._judgement.verdict} {self._judgement.reason}", style="bold"))
            lines += [Text(f"  {_explained(metric)}") for metric in self._judgement.metrics]
        title = f"{run.plan.strategy} {run.from_version} → {run.to_version}"
        return Panel(Group(*lines), title=title, width=min(100, max(60, self._live.console.width if self._live else 80)))


def _explained(metric: MetricJudgement) -> str:
    """A metric's sentence with the evidence and the limit at which harm is proved."""
    return f"{metric.explanation}; evidence {metric.evidence:.1f} of {metric.limit:.1f}"
