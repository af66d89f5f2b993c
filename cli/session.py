"""A run from its first event to its report: wires platform, users, witness, engine and display together."""

import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path

from cli.clock import SystemClock
from cli.exposing import exposing
from cli.labs import Lab
from cli.live import Display
from cli.logs import logging_to
from cli.metering import meter
from cli.settings import Settings
from cli.users import PreviewUsers, Users
from impact.environment import environment
from impact.exposition import Exposition
from impact.prometheus import PrometheusWitness
from impact.report import write_report
from impact.rundir import RunFolder
from impact.settlement import Settlement
from impact.summary import Summary, summarise
from impact.userlog import UserLog
from impact.witness import UsersWitness
from platforms import cards
from strategies.engine import Engine
from strategies.errors import CouldNotRun, LabError, StoreRefused, UsageError, WitnessLost
from strategies.events import AnyEvent, Ended, Ending, Noted, ObjectiveSet, StepEnded, StepStarted
from strategies.groups import matched_by
from strategies.plan import Analyse, Baseline, Plan, Promote, Replace, Replacement, Step
from strategies.steering import undone


class Journal:
    """Writes events into the run's folder, keeps them with the lab, then shows them to those who watch."""

    def __init__(self, folder: RunFolder, lab: Lab, *watchers: Callable[[AnyEvent], None]) -> None:
        self._folder = folder
        self._lab = lab
        self._watchers = watchers

    def write(self, event: AnyEvent) -> None:
        """See `strategies.engine.Journal`."""
        self._folder.write(event)
        try:
            self._lab.record(self._folder, event)
        finally:
            # what the lab cannot take is seen and read here all the same
            for show in self._watchers:
                show(event)


def require_version(store: Path, version: str, option: str) -> None:
    """Refuse a version that the store lacks, before anything is started.

    Raises:
        UsageError: the store has no such version; the sentence names those that it has.
    """
    if (store / version / "model.json").is_file() and Path(version).name == version:
        return
    there = ", ".join(sorted(path.parent.name for path in store.glob("*/model.json"))) or "none"
    raise UsageError(
        f"the model store {store} has no version {version!r} (it has: {there}); choose another {option}, or `labctl model train`"
    )


def digests(store: Path, versions: Iterable[str]) -> dict[str, str]:
    """The sha256 of the model of each version whose card in the store tells it."""
    found = {}
    for version in versions:
        with suppress(StoreRefused):
            found[version] = cards.digest(store, version)
    return found


def carry_out(
    folder: RunFolder,
    lab: Lab,
    places: Settings,
    clock: SystemClock,
    display: Display,
    *,
    first: int = 0,
    give_up: LabError | Ending | None = None,
) -> Summary:
    """Carry a run out from step `first` on (or end it as `give_up` says), then write its summary and report.

    The caller is the only one who changes the lab.
    """
    run, events = folder.run, folder.events()
    exposition = Exposition(run, folder.requests, events)
    journal = Journal(folder, lab, display.show, exposition.show)
    # before the lab names the run: a word that is left from then on is heard
    control = lab.control(folder)
    lab.note_run(folder)
    platform = lab.connect(run.timeout, lambda text: journal.write(Noted(at=clock.now(), text=text)))
    log = UserLog(folder.requests)
    cases = partial(lab.cases, folder)
    users = Users(folder, platform.gateway, platform.note_users, cases=cases)
    preview = PreviewUsers(folder, platform.gateway, clock, cases=cases)
    prometheus = PrometheusWitness(platform.prometheus)
    witness = UsersWitness(
        run,
        log,
        prometheus,
        settlement=Settlement(platform.gateway, prometheus, matched_by(run.load), copies=run.load.rate > 0),
        instances=platform.instances,
        problem=users.problem,
        preview=preview.log,
        predictions=platform.prediction_log,
        analyses=_analyses(run.plan, events),
        clock=clock,
    )
    engine = Engine(
        run.plan,
        platform=platform,
        witness=witness,
        journal=journal,
        clock=clock,
        timeout=run.timeout,
        promoted=promoted(run.plan, events),
        undone=undone(events),
        control=control,
        guard=platform.require_own_routes,
    )
    with (
        logging_to(folder.path / "labctl.log"),
        display.showing(folder, log, clock),
        exposing(exposition, lab.name, places.home, platform.prometheus),
    ):
        try:
            _restore(witness, run.plan, events)
            if give_up is None:
                users.start(log, clock)
            ended = engine.give_up(give_up) if give_up else engine.run(first)
        except LabError as error:
            ended = engine.give_up(error)
        except Exception as error:
            logging.exception("the run could not begin, in a way that nobody foresaw")
            ended = engine.give_up(CouldNotRun(f"the lab itself failed: {error!r}"))
        finally:
            preview.stop()
            users.stop()
    meter(folder, prometheus)
    if run.owns_lab and not ended.left:
        lab.stop()
    elif not ended.left:
        lab.note_run(None)
    return close(folder, ended)


def close(folder: RunFolder, ended: Ended | None = None) -> Summary:
    """Summarise a run and write its report; a disk that takes neither must not hide how the run ended."""
    log, events = UserLog(folder.requests), folder.events()
    try:
        log.poll()
    except WitnessLost as error:
        events = (*events, Noted(at=folder.run.started, text=f"what users met is not known: {error}"))
    if ended and ended not in events:
        events = (*events, ended)
    summary = summarise(folder.run, events, log.requests, environment(folder.run))
    with suppress(StoreRefused):
        folder.write_summary(summary)
        write_report(folder)
    return summary


def promoted(plan: Plan, events: tuple[AnyEvent, ...]) -> bool:
    """Whether the end of the promotion is written, and nobody has begun to undo it."""
    if any(isinstance(event, StepStarted) and event.way_back for event in events):
        return False
    ended = {event.index for event in events if isinstance(event, StepEnded) and not event.way_back}
    return any(isinstance(step, Promote) and index in ended for index, step in enumerate(plan.steps))


def _analyses(plan: Plan, events: tuple[AnyEvent, ...]) -> int:
    """How many analyses share alpha: those of the plan, and one more for each that was begun again after a crash."""
    planned = {index for index, step in enumerate(plan.steps) if isinstance(step, Analyse) or _is_watched(step)}
    begun = [event.index for event in events if isinstance(event, StepStarted) and not event.way_back and event.index in planned]
    ended = {event.index for event in events if isinstance(event, StepEnded) and not event.way_back}
    return max(1, len(planned) + sum(index not in ended for index in begun))


def _is_watched(step: Step) -> bool:
    """Whether an exchange is judged while it is under way."""
    return isinstance(step, Replace) and step.how is Replacement.ROLLING


def _restore(witness: UsersWitness, plan: Plan, events: tuple[AnyEvent, ...]) -> None:
    """Give a resumed run's witness the baseline that the run had."""
    objective = next((event for event in events if isinstance(event, ObjectiveSet)), None)
    baseline = next((index for index, step in enumerate(plan.steps) if isinstance(step, Baseline)), None)
    since = next((event.at for event in events if isinstance(event, StepStarted) and event.index == baseline and not event.way_back), None)
    if objective and since:
        witness.restore(objective, since, objective.at)
