"""The users as a child process: Locust patches the process that imports it, so it is never imported here."""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Self

from loadtest.cases import read_cases
from loadtest.log import RequestLog
from loadtest.schedule import arrivals
from strategies.errors import StoreRefused, ToolFailed
from strategies.run import LoadOptions

_LOCUSTFILE = Path(__file__).with_name("locustfile.py")
_TAIL_LINES = 10


class UsersProcess:
    """Users that send requests until their schedule ends, `stop` is called or this process dies, however it dies.

    Made by `UsersProcess.start`.
    """

    def __init__(self, process: subprocess.Popen[bytes], options: LoadOptions, console: Path) -> None:
        self._process = process
        self._ends_by_itself = options.seconds is not None
        self._console = console
        self._stopped = False

    @classmethod
    def start(cls, url: str, options: LoadOptions, cases: Path, log: Path, console: Path) -> Self:
        """Start them; the first request is sent about a second later.

        Args:
            url: where the model API is, for example "http://127.0.0.1:8080".
            options: of the load.
            cases: the model store's holdout.csv.
            log: the users' log (strategies.userlog), appended to.
            console: where the process' own output is appended to.

        Raises:
            ValueError: `options` make no schedule, for example with a rate of 0.
            StoreRefused: the cases cannot be read, or `log` or `console` cannot be written.
            ToolFailed: the process cannot be started.
        """
        arrivals(options, len(read_cases(cases)))
        command = [sys.executable, "-m", "locust", "-f", str(_LOCUSTFILE), "--headless", "--host", url.rstrip("/")]
        command += ["--users", str(options.users), "--spawn-rate", str(options.users), "--loglevel", "ERROR", "--only-summary"]
        # failed requests are what we measure, not a reason for Locust to fail
        command += ["--exit-code-on-error", "0", "--parent", str(os.getpid())]
        command += ["--rate", repr(options.rate), "--seed", str(options.seed), "--shape", options.shape]
        command += ["--seconds", repr(options.seconds or 0.0), "--timeout", repr(options.timeout), "--in-flight", str(options.in_flight)]
        command += [f"--group-header={options.group_header}", f"--group-value={options.group_value}"]
        command += ["--group-share", str(options.group_share)]
        command += ["--cookies"] * options.cookies + ["--feedback"] * options.feedback
        command += ["--cases", str(cases.absolute()), "--requests", str(log.absolute())]
        try:
            RequestLog(log).close()
            output = console.open("ab")
        except OSError as error:
            raise StoreRefused(f"the users' log or console cannot be written: {error}") from error
        # a person's own settings for Locust are not meant for ours
        environment = {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")}
        with output:
            try:
                process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, start_new_session=True
                )
            except OSError as error:
                raise ToolFailed(f"the users could not be started: {error}", tuple(command)) from error
        return cls(process, options, console)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def running(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def stop(self, timeout: float = 10.0) -> None:
        """Send no more; requests in flight get their timeout, at most 5 s, to end. What still runs after `timeout` seconds is killed."""
        if self.running():
            self._stopped = True
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout)
            self._process.kill()
        self._process.wait()

    def problem(self) -> str:
        """Why the process ended, with its last words; empty if it runs, was stopped or has come to its schedule's end."""
        code = self._process.poll()
        if code is None or (self._stopped and code <= 0) or (self._ends_by_itself and code == 0):
            return ""
        with suppress(OSError):
            words = "\n".join(self._console.read_text(errors="replace").strip().splitlines()[-_TAIL_LINES:])
            return f"the users' process ended with exit code {code}: {words}"
        return f"the users' process ended with exit code {code}"
