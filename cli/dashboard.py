"""`labctl dashboard`: the runs' reports in a browser, and a run that is under way as it goes on. For this machine alone.

The page is the report's own page, made anew whenever the run's record has grown; the server tells browsers so (server-sent
events). A command needs the token of this start, which only a page that was served here has, and a host name that is this
machine's: a page of somebody else in the same browser can neither read the token nor come under another name.
"""

import asyncio
import os
import secrets
import signal
from collections.abc import AsyncIterator
from contextlib import suppress

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from cli.clock import SystemClock
from cli.labs import Lab, lab_on
from cli.platforms import choose
from cli.recovery import live_run
from cli.settings import Settings, settings
from impact import report
from impact.rundir import RunFolder, list_runs
from platforms.local.ports import free_ports, require_free
from strategies.errors import LabError, UsageError
from strategies.events import Ended
from strategies.steering import Command

COMMANDS = {"pause": Command.PAUSE, "resume": Command.RESUME, "promote": Command.PROMOTE, "abort": None}
"""What a page may ask for; an abort is no word in a file, but the signal that every labctl hears."""
LOOK_EVERY = 1.0
"""Seconds between two looks at whether a run's record has grown."""
PAUSE = 4.0
"""Seconds between two notices: making a page takes work that the rollout's own machine has to do."""


class Pages:
    """The pages of the runs in `places`."""

    def __init__(self, places: Settings, token: str) -> None:
        self._places = places
        self._lab = lab_on(choose(""), places, SystemClock())
        self._token = token

    def app(self) -> Starlette:
        """All routes."""
        routes = [
            Route("/", self.runs),
            Route("/runs/{run}", self.run),
            Route("/runs/{run}/changes", self.changes),
            Route("/runs/{run}/{command}", self.steer, methods=["POST"]),
        ]
        hosts = Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])
        return Starlette(routes=routes, middleware=[hosts], exception_handlers={LabError: _sentence})

    async def runs(self, _request: Request) -> Response:
        """The list, newest first."""
        return HTMLResponse(await run_in_threadpool(self._list))

    async def run(self, request: Request) -> Response:
        """A run's report as it is now."""
        folder = self._folder(request)
        return HTMLResponse(await run_in_threadpool(report.render, folder, report.Live(self._token, tuple(COMMANDS))))

    async def changes(self, request: Request) -> Response:
        """A notice whenever the run's record has grown, until the browser leaves or the run ends."""
        return StreamingResponse(
            self._notices(self._folder(request)), media_type="text/event-stream", headers={"cache-control": "no-store"}
        )

    async def steer(self, request: Request) -> Response:
        """Pass a person's word on to the labctl that performs the run."""
        if not secrets.compare_digest(request.headers.get("x-lab-token", ""), self._token):
            return PlainTextResponse("this page is from another start of labctl dashboard; load it anew", 403)
        name, folder, alive = request.path_params["command"], self._folder(request), live_run(self._lab)
        if name not in COMMANDS:
            raise UsageError(f"{name} is no command; there are {', '.join(COMMANDS)}")
        if alive is None or alive.path.resolve() != folder.path.resolve():
            raise UsageError(f"{folder.path.name} is not under way, so there is nothing to {name}")
        command = COMMANDS[name]
        if command:
            self._lab.ask(command)
        else:
            _abort(self._lab)
        return PlainTextResponse(f"asked to {name}")

    async def _notices(self, folder: RunFolder) -> AsyncIterator[str]:
        known = _size(folder)
        # what browsers wait for before they call the stream open
        yield ": here\n\n"
        while True:
            await asyncio.sleep(LOOK_EVERY)
            now = _size(folder)
            ended = any(isinstance(event, Ended) for event in folder.events())
            if now != known or ended:
                known = now
                yield "data: changed\n\n"
                if ended:
                    return
                await asyncio.sleep(PAUSE)

    def _folder(self, request: Request) -> RunFolder:
        """The run that is named, by its whole name: a path from a browser names nothing else."""
        name = request.path_params["run"]
        found = next((plan.parent for plan in self._places.runs.glob("*/plan.json") if plan.parent.name == name), None)
        if found is None:
            raise UsageError(f"there is no run {name}; `labctl runs` lists them")
        return RunFolder.open(found)

    def _list(self) -> str:
        rows = []
        for folder in list_runs(self._places.runs):
            ended = next((event for event in reversed(folder.events()) if isinstance(event, Ended)), None)
            outcome, reason = (str(ended.outcome), ended.reason) if ended else ("not ended", "its labctl runs still, or died")
            rows.append({"name": folder.path.name, "outcome": outcome, "reason": reason})
        return report.render_runs(rows)


def serve(port: int) -> None:
    """Serve until Ctrl-C, on loopback; `port` 0 is a free one.

    Raises:
        CouldNotRun: the port is taken.
    """
    import uvicorn

    chosen = require_free(port) if port else free_ports(1)[0]
    print(f"http://127.0.0.1:{chosen}/", flush=True)
    app = Pages(settings(), secrets.token_urlsafe()).app()
    uvicorn.run(app, host="127.0.0.1", port=chosen, log_level="warning", timeout_graceful_shutdown=1)


def _abort(lab: Lab) -> None:
    holder = lab.holder()
    if holder is None or holder.pid is None:
        raise UsageError("the labctl that performs it runs on another machine: end it by `labctl abort`")
    with suppress(ProcessLookupError):
        os.kill(holder.pid, signal.SIGTERM)


def _size(folder: RunFolder) -> int:
    """How much is written down of the run."""
    return sum(path.stat().st_size for path in (*folder.path.glob("*.jsonl"), *folder.requests.glob("*.csv")))


async def _sentence(_request: Request, error: Exception) -> Response:
    return PlainTextResponse(str(error), 404 if isinstance(error, UsageError) else 500)
