"""`report.html`: one self-contained page about one run, for people. Everything in it is made from the run's folder."""

import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from impact import wording
from impact.environment import environment
from impact.plots import Plots
from impact.rundir import RunFolder
from impact.story import story
from impact.summary import summarise
from impact.userlog import UserLog
from strategies.events import Looked
from strategies.judgement import Count


class Live(NamedTuple):
    """What a page that follows a run needs: `token` proves that a command comes from a page that we served."""

    token: str
    commands: tuple[str, ...]


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
    log = UserLog(folder.requests)
    log.poll()
    events = folder.events()
    summary = folder.read_summary() or summarise(folder.run, events, log.requests, environment(folder.run))
    page = templates().get_template("report.html.j2")
    return page.render(
        live=live,
        summary=summary,
        headline=wording.headline(summary),
        story=story(summary),
        account=wording.account(summary),
        totals=wording.totals(summary),
        plots=Plots(summary, log.requests),
        looks=[event for event in events if isinstance(event, Looked)],
        command=shlex.join(summary.environment.command),
    )


def render_runs(runs: Sequence[Mapping[str, str]]) -> str:
    """A page that lists runs by `name`, `outcome` and `reason`, each with a link to its own."""
    return templates().get_template("runs.html.j2").render(runs=runs)


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
