"""What every `labctl rollout` does around its plan: check, lock, start a lab where none runs, carry out, report."""

import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

import msgspec
import typer

from cli.common_options import Where
from cli.labs import lab_on
from cli.live import Display, Talk
from cli.settings import Settings, settings
from strategies.errors import Interrupted, LabError, UsageError
from strategies.events import Ended, Noted, Outcome
from strategies.plan import Plan, Release, Route, title
from strategies.run import JudgeOptions, LoadOptions, Run
from strategies.traffic import Slot

if TYPE_CHECKING:
    from cli.clock import SystemClock
    from cli.labs import Lab, Serving

DEFAULT_REPLICAS = 2
MANY = 100
"""So many replicas that each percent of them is one."""
FIRST_VERSION = "v1"


class Stable(msgspec.Struct, frozen=True, kw_only=True):
    """What serves before a rollout begins: `release` in `slot`."""

    slot: Slot
    release: Release


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a person asked for, before it is known what runs.

    Attributes:
        plan: the plan, given what serves now.
        from_version: only for a lab of the run's own; empty for the default.
        force: the version may be stable already.
        supersede: a rollout that is under way is ended first.
        talk: how much is said while it runs.
        where: the lab.
        reclaim: what somebody else changes in the routes is taken back on the way forward too.
    """

    plan: Callable[[Stable], Plan]
    to_version: str
    from_version: str
    load: LoadOptions
    judge: JudgeOptions
    timeout: float
    port: int
    force: bool = False
    supersede: bool = False
    talk: Talk = Talk.NORMAL
    where: Where = Where()
    reclaim: bool = False


def perform(asked: Asked, *, as_json: bool) -> None:
    """Carry a rollout out and leave with its exit code.

    Raises:
        LabError: it could not begin.
    """
    # nonsense is refused before anything is started; of how many replicas a percentage is none is known only then
    asked.plan(Stable(slot=Slot.BLUE, release=Release(version=asked.from_version or FIRST_VERSION, replicas=MANY)))
    from cli.clock import SystemClock
    from cli.recovery import end_dead_run, end_live_holder
    from cli.reports import show
    from cli.session import carry_out
    from impact.rundir import RunFolder

    places, clock = settings(), SystemClock()
    display = Display(asked.talk)
    clock.say = display.say
    lab = lab_on(asked.where.chosen(), places, clock, reclaim=asked.reclaim)
    lab.require_addresses()
    with clock.listening(), ExitStack() as held:
        ended = end_live_holder(lab, clock, display) if asked.supersede else True
        held.enter_context(lab.exclusive(f"labctl {' '.join(sys.argv[1:])}", take_over=not ended))
        end_dead_run(lab, places, clock, display)
        lab.claim(display.say)
        run = _run(asked, lab, places, clock)
        lab.offer(asked.to_version)
        folder = RunFolder.create(places.runs, run)
        if fewer := _fewer(run):
            display.say(fewer)
            folder.write(Noted(at=clock.now(), text=fewer))
        try:
            if folder.run.owns_lab:
                display.say(f"no lab runs here, so one is started for this rollout, with {folder.run.from_version}")
                lab.start(folder.run.from_version, replicas=folder.run.plan.replicas, port=asked.port, run=str(folder.path))
        except LabError as error:
            outcome = Outcome.INTERRUPTED if isinstance(error, Interrupted) else Outcome.ERROR
            folder.write(Ended(at=clock.now(), outcome=outcome, exit_code=error.exit_code, reason=str(error)))
            raise
        summary = carry_out(folder, lab, places, clock, display)
    show(folder, summary, as_json=as_json)
    raise typer.Exit(3 if summary.exit_code is None else summary.exit_code)


def print_plan(asked: Asked, *, as_json: bool) -> None:
    """Print what would be done, and the routes of each change; nothing is touched."""
    from cli.clock import SystemClock

    lab = lab_on(asked.where.chosen(), settings(), SystemClock())
    plan = asked.plan(stable_now(lab.serving(), asked.from_version))
    if as_json:
        routes = [lab.routes(step.traffic) for step in plan.steps if isinstance(step, Route)]
        print(msgspec.json.encode({"plan": plan, "routes": routes}).decode())
        return
    for heading, steps in (("steps", plan.steps), ("way back", plan.way_back)):
        print(f"{plan.strategy}: {heading}")
        for number, step in enumerate(steps, start=1):
            print(f"  {number:2}  {title(step)}")
            if isinstance(step, Route):
                print(_indented(msgspec.json.encode(lab.routes(step.traffic))))


def _run(asked: Asked, lab: "Lab", places: Settings, clock: "SystemClock") -> Run:
    """What is asked for, on the lab that is there or on one that will be started for it.

    Raises:
        UsageError: a version that the store lacks, that is stable already, or --from for a lab that runs.
    """
    from cli.session import digests, require_version
    from impact.rundir import run_id

    found = lab.serving()
    if found and asked.from_version:
        raise UsageError("a lab runs already, and --from is for a rollout that starts its own; leave it out, or `labctl down` first")
    stable = stable_now(found, asked.from_version)
    serving = stable.release.version
    require_version(places.store, asked.to_version, "--to")
    require_version(places.store, serving, "--from")
    plan, started = asked.plan(stable), clock.now()
    if found is None:
        # it will be started with what the rollout asks for, and that is what a way back in place leads to
        stable = msgspec.structs.replace(stable, release=Release(version=serving, replicas=plan.replicas))
        plan = asked.plan(stable)
    if serving == asked.to_version and (plan.in_place or not asked.force):
        how = "a version cannot be told from itself in the same place" if plan.in_place else "or compare it with itself by --force"
        raise UsageError(f"{serving} is stable already; choose another version with --to ({how})")
    return Run(
        id=run_id(started, plan.strategy, serving, asked.to_version),
        started=started,
        command=("labctl", *sys.argv[1:]),
        platform=lab.name,
        from_version=serving,
        to_version=asked.to_version,
        stable=stable.slot,
        candidate=stable.slot if plan.in_place else stable.slot.other,
        plan=plan,
        load=asked.load,
        judge=asked.judge,
        timeout=asked.timeout,
        owns_lab=found is None,
        digests=digests(places.store, (serving, asked.to_version)),
    )


def _fewer(run: Run) -> str:
    """That the new version is to carry everything with fewer replicas than the old one has; empty if it is not."""
    before, replicas = run.plan.before, run.plan.replicas
    if before is None or replicas >= before.replicas:
        return ""
    own = f"{replicas} replica{'s' * (replicas != 1)}"
    return f"{run.to_version} is to carry with {own} what {run.from_version} carries with {before.replicas}, as --replicas says"


def stable_now(found: "Serving | None", from_version: str = "") -> Stable:
    """What serves now, or what a lab of the rollout's own will begin with."""
    if found is None:
        return Stable(slot=Slot.BLUE, release=Release(version=from_version or FIRST_VERSION, replicas=DEFAULT_REPLICAS))
    return Stable(slot=found.stable, release=Release(version=found.version, replicas=found.replicas))


def _indented(document: bytes) -> str:
    return "\n".join(f"        {line}" for line in msgspec.json.format(document).decode().splitlines())
