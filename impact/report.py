"""`report.html`: one self-contained page about one run, for people. Everything in it is made from the run's folder."""

import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from impact import timeline, wording
from impact.environment import environment
from impact.plots import Plots
from impact.rundir import RunFolder
from impact.story import story
from impact.summary import Summary, summarise
from impact.userlog import Request, UserLog
from strategies.errors import StoreRefused
from strategies.events import AnyEvent, Looked
from strategies.judgement import Count


class Live(NamedTuple):
    """What a page that follows a run needs.

    Attributes:
        token: proves that a command comes from a page that we served.
        commands: what may be asked for, with what comes of it; none once the run has ended.
        nonce: what a script must carry that may run on the page.
        headline: what is tried and where it is, while the run has not ended.
        drawn: when the page is made.
    """

    token: str
    commands: Mapping[str, str]
    nonce: str
    headline: str
    drawn: datetime


class Known(NamedTuple):
    """What a run's folder tells."""

    summary: Summary
    events: tuple[AnyEvent, ...]
    requests: list[Request]


def write_report(folder: RunFolder) -> Path:
    """Write the run's report.html from its summary.json, or, if it was killed before it had one, from what is known so far.

    Raises:
        StoreRefused: the run's record cannot be read, or the report not be written.
        WitnessLost: the users' log cannot be read.
    """
    return folder.write_report(render(folder))


def render(folder: RunFolder, live: Live | None = None) -> str:
    """The page as text; with `live` it follows a run that is under way, and has buttons.

    Raises:
        StoreRefused: the run's record cannot be read.
        WitnessLost: the users' log cannot be read.
    """
    summary, events, requests = known(folder)
    page = templates().get_template("report.html.j2")
    return page.render(
        live=live,
        summary=summary,
        headline=(live and live.headline) or wording.headline(summary),
        # what is under way is told above the report
        story=story(summary)[: -1 if live and live.commands else None],
        account=wording.account(summary),
        totals=wording.totals(summary),
        plots=Plots(summary, requests),
        looks=[event for event in events if isinstance(event, Looked)],
        machine=wording.machine(summary.environment),
        command=shlex.join(summary.environment.command),
    )


def known(folder: RunFolder) -> Known:
    """A run's summary, made anew unless it has ended and has one, with what it is made from.

    Raises:
        StoreRefused: the run's record cannot be read.
        WitnessLost: the users' log cannot be read.
    """
    log, events = UserLog(folder.requests), folder.events()
    log.poll()
    # one that was taken up again has a summary of the time before
    summary = None
    if timeline.over(events):
        # that of an older release may lack what is told now; the record has it
        with suppress(StoreRefused):
            summary = folder.read_summary()
    summary = summary or summarise(folder.run, events, log.requests, environment(folder.run))
    return Known(summary, events, log.requests)


def render_now(**facts: object) -> str:
    """What a run does now, as a piece of its page; `facts` are the names in now.html.j2."""
    return templates().get_template("now.html.j2").render(facts)


def render_runs(runs: Sequence[Mapping[str, str]], *, comparison: bool, nonce: str) -> str:
    """A page that lists runs by `name`, `outcome` and `reason`, each with a link to its own, and says where the comparison is."""
    return templates().get_template("runs.html.j2").render(runs=runs, comparison=comparison, nonce=nonce)


def templates() -> Environment:
    """The pages' templates, with the formats of `impact.wording` as filters."""
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {
        "fact": wording.fact,
        "percent": wording.percent,
        "duration": wording.duration,
        "role_rows": wording.role_rows,
        "clock": _clock,
        "counted": _counted,
    }
    return templates


def _clock(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _counted(count: Count | None) -> str:
    return wording.UNKNOWN if count is None else f"{count.bad} of {count.n}"
