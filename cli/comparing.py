"""The rollouts of a comparison: each a `labctl rollout` of its own, in the folder of the comparison."""

import os
import random
import subprocess
import sys
from collections.abc import Callable, Mapping
from itertools import product
from pathlib import Path
from typing import NamedTuple

import msgspec

from cli.clock import SystemClock
from cli.grounds import Ground
from cli.session import require_version
from impact.comparison import STRATEGIES, Cell, Comparison, Setting, compare
from impact.comparison_costs import Costs, costs
from impact.comparison_markdown import markdown
from impact.comparison_page import page
from impact.rundir import RunFolder, list_runs, replace_whole
from impact.userlog import UserLog
from platforms.ending import end
from strategies.errors import Interrupted, NotReady, UsageError
from strategies.events import Outcome
from strategies.waiting import wait_until

MEASURED = frozenset({Outcome.PROMOTED, Outcome.COMPLETED, Outcome.ROLLED_BACK, Outcome.INCONCLUSIVE})
"""Outcomes that say something of the strategy; a run that ended otherwise is performed again by the next comparison."""
DEADLINE = 600.0
"""Seconds that a rollout has beside its holds; everything in it has a shorter deadline of its own."""
CONSOLE = "console.log"
"""What the rollouts said."""
WAY_BACK = 90.0
"""Seconds in which an interrupted rollout has gone back and ended its lab."""


class Written(NamedTuple):
    """What a comparison has come to; `complete` if every cell has a run."""

    markdown: str
    json: str
    complete: bool


def plan_of(
    *,
    strategies: str,
    candidates: str,
    rate: float,
    users: int,
    replicas: int,
    baseline: float,
    hold: float,
    keep: float,
    objective: float | None,
    repeats: int,
    seed: int,
    command: tuple[str, ...],
    store: Path,
    platform: str,
    words: tuple[str, ...],
) -> Setting:
    """What is to be performed, in the shuffled order; `words` tell each rollout of the platform.

    Raises:
        UsageError: an unknown strategy, or a version that the store lacks.
    """
    names = _listed(strategies)
    if unknown := [name for name in names if name not in STRATEGIES]:
        raise UsageError(f"{', '.join(unknown)} is no strategy; --strategies takes {', '.join(STRATEGIES)}, separated by commas")
    versions = _listed(candidates)
    if not names or not versions:
        raise UsageError("there is nothing to compare; name at least one of --strategies and one of --candidates")
    for version in versions:
        require_version(store, version, "--candidates")
    order: list[Cell] = []
    # repeat by repeat, so that a comparison that is cut off has whole ones
    for repeat in range(1, repeats + 1):
        cells = [Cell(strategy, version, repeat) for strategy, version in product(names, versions)]
        # a machine that grows slower meanwhile must not do so to always the same strategy
        random.Random(seed + repeat - 1).shuffle(cells)  # noqa: S311 - an order, not a secret
        order += cells
    return Setting(
        command=command,
        platform=platform,
        words=words,
        rate=rate,
        users=users,
        replicas=replicas,
        baseline_seconds=baseline,
        hold_seconds=hold,
        keep_seconds=keep,
        objective_seconds=objective,
        repeats=repeats,
        seed=seed,
        order=tuple(order),
    )


def measure(setting: Setting, folder: Path, on: Ground, clock: SystemClock, say: Callable[[str], None]) -> None:
    """Perform what has no run in `folder` yet.

    Raises:
        Interrupted: somebody asked for an end; the rollout that ran has gone back, and its lab has ended.
        LabError: the next rollout cannot begin; one of an earlier comparison still runs there, or the cluster's lab is not as it should be.
    """
    total = len(setting.order)
    there = _runs(setting, folder)
    say(f"{total} rollouts in an order shuffled by seed {setting.seed}; {len(there)} of them were performed before")
    for number, cell in enumerate(setting.order, start=1):
        if cell in there:
            continue
        clock.sleep(0)
        say(f"{number} of {total}: {cell.strategy} {cell.candidate}, repeat {cell.repeat}")
        last_words = _perform(arguments(setting, cell), setting, folder, on, clock)
        run = _runs(setting, folder, of=MEASURED | {Outcome.ERROR}).get(cell)
        summary = run.read_summary() if run else None
        say(f"  {summary.outcome}: {summary.reason}" if summary else f"  not measured: {last_words}")
    if len(there) < total:
        # a lab that stays is left as it was found
        with (folder / CONSOLE).open("a") as log:
            on.prepare(log)


def arguments(setting: Setting, cell: Cell) -> tuple[str, ...]:
    """What `labctl` is given for a cell: all that the measured figures depend on, so that equal words are an equal rollout."""
    words: list[str] = ["rollout", cell.strategy, "--to", cell.candidate, "--rate", f"{setting.rate:g}", "--users", str(setting.users)]
    words += ["--replicas", str(setting.replicas), "--seed", str(setting.seed + cell.repeat - 1)]
    words += ["--baseline", f"{setting.baseline_seconds:g}s", "--hold", f"{setting.hold_seconds:g}s"]
    if cell.strategy == "blue-green":
        words += ["--preview", f"{setting.hold_seconds:g}s"]
    if cell.strategy not in {"recreate", "rolling"}:
        words += ["--keep", f"{setting.keep_seconds:g}s"]
    if setting.objective_seconds is not None:
        words += ["--objective-latency", f"{setting.objective_seconds:g}s"]
    return (*words, *setting.words)


def write(setting: Setting, folder: Path) -> Written:
    """Write the table of what has been measured so far as comparison.md, .json and .html.

    Raises:
        StoreRefused: a run's record cannot be read, or the table not be written.
        WitnessLost: a users' log cannot be read.
    """
    runs = _runs(setting, folder, of=MEASURED | {Outcome.ERROR})
    comparison = _compare(setting, runs)
    document = msgspec.json.format(msgspec.json.encode(comparison))
    text = markdown(comparison)
    replace_whole(folder / "comparison.json", document)
    replace_whole(folder / "comparison.md", text.encode())
    replace_whole(folder / "comparison.html", page(comparison).encode())
    return Written(text, document.decode(), all(cell in _runs(setting, folder) for cell in setting.order))


def _compare(setting: Setting, runs: Mapping[Cell, RunFolder]) -> Comparison:
    measured: dict[Cell, Costs] = {}
    environment = None
    for cell, folder in runs.items():
        summary = folder.read_summary()
        if summary is None:
            continue
        log = UserLog(folder.requests)
        log.poll()
        measured[cell] = costs(folder.run, folder.events(), log.requests, summary)
        environment = summary.environment
    return compare(setting, measured, environment)


def _runs(setting: Setting, folder: Path, of: frozenset[Outcome] = MEASURED) -> dict[Cell, RunFolder]:
    """The newest run of each cell that was performed with the same words and has ended in one of these ways."""
    wanted = {("labctl", *arguments(setting, cell)): cell for cell in setting.order}
    found: dict[Cell, RunFolder] = {}
    for run in list_runs(folder / "runs"):
        cell = wanted.get(run.run.command)
        if cell is None or cell in found:
            continue
        summary = run.read_summary()
        if summary and summary.outcome in of:
            found[cell] = run
    return found


def _perform(words: tuple[str, ...], setting: Setting, folder: Path, on: Ground, clock: SystemClock) -> str:
    """Run one rollout to its end; its last words."""
    console = folder / CONSOLE
    with console.open("a") as log:
        on.prepare(log)
        start = log.seek(0, os.SEEK_END)
        # Ctrl-C is for us alone: we pass it on, and wait for the way back
        process = subprocess.Popen(
            [sys.executable, "-m", "cli", *words],
            env=on.environment,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            deadline = DEADLINE + 2 * setting.hold_seconds + setting.baseline_seconds + setting.keep_seconds
            wait_until(lambda: process.poll() is not None, timeout=deadline, clock=clock, reason=lambda: f"labctl {' '.join(words)} hangs")
        except (Interrupted, NotReady):
            end(process, WAY_BACK)
            raise
        on.clear(log)
    said = [line for line in console.read_bytes()[start:].decode(errors="replace").splitlines() if line.strip()]
    return said[-1].removeprefix("labctl: ") if said else f"it said nothing, exit code {process.returncode}"


def _listed(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
