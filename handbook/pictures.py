"""The tutorial's pictures of the deployment strategies: drawings of real runs, each with what happened in it, told in words.

A report's drawings take their colours from its page. A picture stands alone, so it gets those of the light page, a ground to
stand on and a title.
"""

import re
import shlex
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import NamedTuple

from handbook.markdown import sentence
from impact.comparison import STRATEGIES
from impact.plots import Plots
from impact.rundir import RunFolder, list_runs
from impact.story import story
from impact.summary import Summary
from impact.userlog import UserLog
from strategies.errors import UsageError
from strategies.events import Looked, Outcome

FOLDER = Path(__file__).parents[1] / "docs" / "pictures"
STYLE_SHEET = Path(__file__).parents[1] / "impact" / "templates" / "report.css"
CANDIDATES = ("v2", "v2-broken")
ENDED = frozenset({Outcome.PROMOTED, Outcome.COMPLETED, Outcome.ROLLED_BACK})
LARGEST = 150_000
"""Bytes of a picture: a page with several must open at once."""


class Picture(NamedTuple):
    """A drawing, its name within its run, and what is to be seen on it."""

    name: str
    svg: str
    text: str


def draw(folder: Path) -> None:
    """Write the pictures and their captions, from the runs below the folder of a `labctl compare`.

    Raises:
        UsageError: a strategy or a candidate has no run there that ended as a verdict says.
    """
    newest: dict[tuple[str, str], tuple[RunFolder, Summary]] = {}
    for run in list_runs(folder / "runs"):
        summary = run.read_summary()
        if summary and summary.outcome in ENDED:
            newest.setdefault((summary.strategy, summary.to_version), (run, summary))
    wanted = [(strategy, candidate) for strategy in STRATEGIES for candidate in CANDIDATES]
    if missing := [f"{strategy} with {candidate}" for strategy, candidate in wanted if (strategy, candidate) not in newest]:
        raise UsageError(f"{folder} has no run of {', '.join(missing)}; make them with `labctl compare --to {folder}`")
    FOLDER.mkdir(parents=True, exist_ok=True)
    for strategy, candidate in wanted:
        _write(f"{strategy}-{candidate}", *newest[strategy, candidate])


def _write(name: str, run: RunFolder, summary: Summary) -> None:
    lines = []
    for picture in _pictures(run, summary):
        file = FOLDER / f"{name}-{picture.name}.svg"
        text = f"A real {summary.strategy} of {summary.to_version}: {picture.text}"
        file.write_text(standing_alone(picture.svg, text), encoding="utf-8")
        if file.stat().st_size > LARGEST:
            raise UsageError(f"{file} is larger than {LARGEST} bytes; draw a shorter run")
        lines += [f"![{text}](../pictures/{file.name})", f"{sentence(picture.text)}\n{{ .caption }}"]
    told = " ".join(story(summary))
    (FOLDER / f"{name}.md").write_text(
        "\n\n".join([*lines, f"{told}\n{{ .caption }}", f"The run: `{shlex.join(summary.environment.command)}`.\n{{ .caption }}"]) + "\n",
        encoding="utf-8",
    )


def _pictures(run: RunFolder, summary: Summary) -> Iterator[Picture]:
    log = UserLog(run.requests)
    log.poll()
    plots = Plots(summary, log.requests)
    yield Picture("answered", plots.rates(), "requests per second by the version that they were charged to, over the phases of the run.")
    looks = [event for event in run.events() if isinstance(event, Looked)]
    bad = plots.bad_answers() if summary.totals.failed else ""
    if bad:
        yield Picture("bad", bad, "failed requests and wrong answers per second.")
    elif verdict := plots.verdict(looks):
        yield Picture(
            "verdict", verdict, "the path to the verdict, which is the evidence of harm, beside the limit from which on it is proved."
        )


def standing_alone(svg: str, text: str) -> str:
    """A report's drawing as a file of its own, which says `text` to who cannot see it."""
    colours = dict(re.findall(r"--(\w+): (#[0-9a-f]+);", STYLE_SHEET.read_text(encoding="utf-8").partition("@media")[0]))
    drawn = re.sub(r"var\(--(\w+)\)", lambda found: colours[found[1]], svg)
    style = "<style>text{font-family:system-ui,-apple-system,'Segoe UI',sans-serif!important}</style>"
    ground = f'<title>{escape(text)}</title>{style}<rect width="100%" height="100%" fill="{colours["page"]}"/>'
    return re.sub(r"(<svg[^>]*>)", lambda found: found[1] + ground, drawn, count=1) + "\n"
