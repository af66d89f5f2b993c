"""The users of a run, and our own users of a preview: processes that live while they are needed, each with its log."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from cli.clock import SystemClock
from impact.rundir import RunFolder
from impact.userlog import UserLog
from loadtest.users import UsersProcess
from strategies.errors import StoreRefused, WitnessLost
from strategies.run import LoadOptions
from strategies.traffic import PREVIEW_HEADER
from strategies.waiting import wait_until

USERS_DEADLINE = 30.0
"""Seconds in which a users' process must have sent its first request."""


class Users:
    """The users of a run: none if its rate is 0, else a process that lives while the run does.

    `note` writes their process id down, so that they are found if this process dies; None once they have ended. `cases` tells where
    the cases are that they send, see `cli.labs.Lab`.
    """

    def __init__(self, folder: RunFolder, gateway: str, note: Callable[[int | None, Path], None], *, cases: Callable[[], Path]) -> None:
        self._gateway = gateway
        self._note = note
        self._folder = folder
        self._cases = cases
        self._process: UsersProcess | None = None

    def start(self, log: UserLog, clock: SystemClock) -> None:
        """Start them and wait for their first request.

        Raises:
            WitnessLost: they sent nothing.
        """
        if self._folder.run.load.rate == 0:
            return
        path, console = self._folder.new_log_path(), self._folder.path / "users.log"
        self._process = UsersProcess.start(self._gateway, self._folder.run.load, self._cases(), path, console)
        self._note(self._process.pid, console)

        def sending() -> bool:
            if problem := self.problem():
                raise WitnessLost(problem)
            return bool(log.poll())

        wait_until(sending, timeout=USERS_DEADLINE, clock=clock, reason=lambda: "the users have sent nothing yet")

    def problem(self) -> str:
        """What happened to them, in a sentence; empty if nothing did."""
        return self._process.problem() if self._process else ""

    def stop(self) -> None:
        """Send no more."""
        if self._process:
            self._process.stop()
        # a full disk has been told of elsewhere, and must not stand in the way of the end
        with suppress(StoreRefused):
            self._note(None, Path())


class PreviewUsers:
    """Our own users who see the candidate before anybody else; started when they are first asked for. Nobody's log has them."""

    def __init__(self, folder: RunFolder, gateway: str, clock: SystemClock, *, cases: Callable[[], Path]) -> None:
        self._folder = folder
        self._gateway = gateway
        self._clock = clock
        self._cases = cases
        self._process: UsersProcess | None = None
        self._log = UserLog(folder.path / "preview")

    def log(self) -> UserLog:
        """What they met.

        Raises:
            WitnessLost: they sent nothing, or their process has died.
        """
        if self._process is None:
            self._process = self._start()
        if problem := self._process.problem():
            raise WitnessLost(f"of the preview: {problem}")
        return self._log

    def stop(self) -> None:
        """Send no more."""
        if self._process:
            self._process.stop()

    def _start(self) -> UsersProcess:
        run, folder = self._folder.run, self._folder.path / "preview"
        folder.mkdir(exist_ok=True)
        everybody = LoadOptions(
            rate=run.judge.preview_rate,
            users=run.load.users,
            seed=run.load.seed,
            group_header=PREVIEW_HEADER,
            group_value="1",
            group_share=100,
        )
        log = folder / f"{len(list(folder.glob('*.csv'))) + 1:03}.csv"
        process = UsersProcess.start(self._gateway, everybody, self._cases(), log, self._folder.path / "preview.log")

        def sending() -> bool:
            if problem := process.problem():
                raise WitnessLost(f"of the preview: {problem}")
            return bool(self._log.poll())

        try:
            wait_until(sending, timeout=USERS_DEADLINE, clock=self._clock, reason=lambda: "our preview users have sent nothing yet")
        except BaseException:
            process.stop()
            raise
        return process
