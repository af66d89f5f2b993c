"""`labctl pause` and `promote`: a word to a rollout that runs in another terminal. `resume` and `abort` are in cli/recovery.py."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from cli.labs import lab_on
from cli.platforms import PlatformOption, choose
from cli.settings import settings
from strategies.errors import StoreRefused, UsageError
from strategies.steering import Command

if TYPE_CHECKING:
    from cli.labs import Lab


class FileControl:
    """Implements `strategies.steering.Control` by a file that other labctls append to. What was there before counts for nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = self._size()

    def take(self) -> tuple[Command, ...]:
        """The whole lines since the last time; a line that is no command is passed over."""
        if self._size() <= self._read:
            return ()
        with self._path.open("rb") as file:
            file.seek(self._read)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._read += len(whole)
        known = {command.value: command for command in Command}
        words = (line.decode(errors="replace") for line in whole.splitlines())
        return tuple(known[word] for word in words if word in known)

    def _size(self) -> int:
        try:
            return self._path.stat().st_size
        except FileNotFoundError:
            return 0


def pause(platform: PlatformOption = "") -> None:
    """Let a rollout that runs stay where it is; the candidate is judged on meanwhile."""
    ask(Command.PAUSE, _lab(platform))
    print("asked to pause; `labctl resume` goes on as planned, `labctl promote` at once, `labctl abort` ends it")


def promote(
    full: Annotated[bool, typer.Option("--full", help="Wait for nothing any more, in this step and in all that follow.")] = False,
    platform: PlatformOption = "",
) -> None:
    """Go on at once where a rollout waits: at a gate, in a pause, in an analysis or in a hold."""
    ask(Command.PROMOTE_FULL if full else Command.PROMOTE, _lab(platform))
    print("asked to go on at once" + (", and to wait for nothing any more" if full else ""))


def ask(command: Command, lab: "Lab") -> None:
    """Leave a word for the rollout that runs.

    Raises:
        UsageError: none runs.
    """
    from cli.recovery import live_run

    folder = live_run(lab)
    if folder is None:
        raise UsageError("no rollout is under way, so there is nothing to steer; `labctl status` shows what runs")
    try:
        with folder.control.open("a") as file:
            file.write(f"{command}\n")
    except OSError as error:
        raise StoreRefused(f"{folder.control} cannot be written ({error.strerror})") from error


def _lab(platform: str) -> "Lab":
    from cli.clock import SystemClock

    return lab_on(choose(platform), settings(), SystemClock())


def undo(
    platform: PlatformOption = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout, the rest on stderr.")] = False,
) -> None:
    """Give everybody the version from before the last promotion again, without steps."""
    from cli.performing import Asked, Stable, perform
    from impact.rundir import RunFolder, list_runs
    from strategies.plan import Plan, Release
    from strategies.run import JudgeOptions, LoadOptions
    from strategies.undo import undo as plan_undo

    def last(folder: RunFolder) -> bool:
        summary = folder.read_summary()
        return summary is not None and summary.outcome == "promoted"

    found = next((folder for folder in list_runs(settings().runs) if last(folder)), None)
    if found is None:
        raise UsageError("nothing was promoted yet, so there is nothing to undo; `labctl runs` lists what was done")
    before = found.run.plan.before or Release(version=found.run.from_version, replicas=found.run.plan.replicas)

    def plan(stable: Stable) -> Plan:
        return plan_undo(msgspec.structs.replace(before, replicas=stable.release.replicas), stable.slot, baseline=2.0, keep=2.0)

    asked = Asked(
        plan=plan,
        to_version=before.version,
        from_version="",
        load=LoadOptions(),
        judge=JudgeOptions(),
        timeout=found.run.timeout,
        port=0,
        platform=platform,
    )
    perform(asked, as_json=as_json)
