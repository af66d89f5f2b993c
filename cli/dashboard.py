"""`labctl dashboard`: the runs' reports in a browser, and a run that is under way as it goes on. For this machine alone.

The page is the report's own page. Above it stands what the run does now, pushed every second (server-sent events); the report
below is made anew when a phase begins, and else only now and then, as drawing takes work that the rollout's own machine has to do.
A command needs the token of this start, which only a page that was served here has.
"""

import asyncio
import json
import os
import secrets
import signal
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from cli.clock import SystemClock
from cli.following import Following, Sight, State
from cli.labs import Lab, lab_on
from cli.listing import Listing, Shelf
from cli.own_pages import OwnPages
from cli.platforms import choose
from cli.recovery import live_run
from cli.settings import Settings, settings
from impact import comparison_page, report, side_by_side
from impact.comparison import Comparison
from impact.rundir import RunFolder
from impact.timeline import over
from platforms.ports import free_ports, require_free
from strategies.errors import LabError, UsageError
from strategies.steering import Command

COMMANDS = {
    "pause": "It stays where it is until it is resumed; the candidate is judged on meanwhile.",
    "resume": "It goes on as planned.",
    "promote": "It goes on at once: the rest of this analysis, hold, gate or pause is not waited for.",
    "abort": "It is ended: the traffic goes back to stable at once; after the promotion what is left is completed.",
}
"""What a page may ask for, and what comes of it."""
LOOK_EVERY = 1.0
"""Seconds between two looks at a run."""
SHARE = 0.1
"""The part of one processor's time that making a run's page anew may take while nothing but time goes by."""


class Pages:
    """The pages of the runs in `places`, and of those of the comparison in the folder `comparison`."""

    def __init__(self, places: Settings, comparison: Path, token: str) -> None:
        clock, chosen = SystemClock(), choose("")
        beside = msgspec.structs.replace(places, home=comparison / "lab", runs=comparison / "runs")
        self._runs = Listing(Shelf(places.runs, lab_on(chosen, places, clock)), Shelf(beside.runs, lab_on(chosen, beside, clock)))
        self._comparison = comparison / "comparison.json"
        self._token = token
        self._nonce = secrets.token_urlsafe()
        self._drawing = 0.0

    def app(self) -> Starlette:
        """All routes."""
        routes = [
            Route("/", self.runs),
            Route("/changes", self.list_changes),
            Route("/comparison", self.comparison),
            Route("/beside", self.beside),
            Route("/runs/{run}", self.run),
            Route("/runs/{run}/changes", self.changes),
            Route("/runs/{run}/{command}", self.steer, methods=["POST"]),
        ]
        return Starlette(
            routes=routes,
            middleware=[Middleware(OwnPages, nonce=self._nonce)],
            exception_handlers={LabError: _sentence, Exception: _defect},
        )

    async def runs(self, _request: Request) -> Response:
        """The list, newest first."""
        rows = await run_in_threadpool(self._runs.rows)
        return HTMLResponse(report.render_runs(rows, comparison=self._comparison.is_file(), nonce=self._nonce))

    async def comparison(self, _request: Request) -> Response:
        """What each strategy costs, as it was measured last."""
        return HTMLResponse(await run_in_threadpool(self._compared))

    async def beside(self, request: Request) -> Response:
        """Two runs side by side."""
        names = request.query_params.getlist("run")
        if len(names) != 2:
            raise UsageError("two runs stand beside each other: choose exactly two in the list")
        first, second = (self._runs.find(name)[0] for name in names)
        rows = await run_in_threadpool(lambda: side_by_side.compare(report.known(first).summary, report.known(second).summary))
        return HTMLResponse(side_by_side.page(rows, linked=True))

    async def run(self, request: Request) -> Response:
        """A run's report as it is now."""
        folder, _ = self._runs.find(request.path_params["run"])
        return HTMLResponse(await run_in_threadpool(self._page, folder))

    async def changes(self, request: Request) -> Response:
        """What the run does now, each second, until the browser leaves or the run ends."""
        return _stream(self._sights(*self._runs.find(request.path_params["run"])))

    async def list_changes(self, _request: Request) -> Response:
        """A notice whenever a run began, ended or was left behind."""
        return _stream(self._news())

    async def steer(self, request: Request) -> Response:
        """Pass a person's word on to the labctl that performs the run."""
        # as bytes, for a header may hold anything
        if not secrets.compare_digest(request.headers.get("x-lab-token", "").encode(), self._token.encode()):
            return PlainTextResponse("this page is from another start of labctl dashboard; load it anew", 403)
        folder, lab = self._runs.find(request.path_params["run"])
        return PlainTextResponse(await run_in_threadpool(_steer, request.path_params["command"], folder, lab))

    def _page(self, folder: RunFolder) -> str:
        began = time.monotonic()
        live = report.Live(self._token, {} if over(folder.events()) else COMMANDS, self._nonce)
        try:
            return report.render(folder, live)
        finally:
            self._drawing = time.monotonic() - began

    async def _sights(self, folder: RunFolder, lab: Lab) -> AsyncIterator[str]:
        following, drawn, at = Following(folder, lab), None, time.monotonic()
        while True:
            try:
                sight = await run_in_threadpool(following.look)
            except LabError as error:
                yield _event("now", {"state": str(error), "html": ""})
            else:
                yield _event("now", {"state": sight.state, "html": sight.html})
                if sight.state is State.ENDED:
                    yield _event("end", {})
                    return
                # the browser has just asked for the page when it comes here first
                drawn = drawn or sight
                if self._is_due(drawn, sight, time.monotonic() - at):
                    drawn, at = sight, time.monotonic()
                    yield _event("page", {})
            await asyncio.sleep(LOOK_EVERY)

    def _is_due(self, drawn: Sight, now: Sight, seconds: float) -> bool:
        """Whether a page that was made `seconds` ago is to be made anew."""
        if (drawn.state, drawn.phases) != (now.state, now.phases):
            return True
        return now.size != drawn.size and seconds > self._drawing / SHARE

    async def _news(self) -> AsyncIterator[str]:
        known = None
        while True:
            rows = await run_in_threadpool(self._runs.rows)
            yield _event("list", {}) if known not in {None, str(rows)} else ": here\n\n"
            known = str(rows)
            await asyncio.sleep(2 * LOOK_EVERY)

    def _compared(self) -> str:
        try:
            comparison = msgspec.json.decode(self._comparison.read_bytes(), type=Comparison)
        except FileNotFoundError as error:
            raise UsageError(f"there is no {self._comparison}; `labctl compare` makes one, and --comparison names its folder") from error
        except (OSError, msgspec.MsgspecError) as error:
            raise UsageError(f"{self._comparison} cannot be read, or is of another version of the lab ({error})") from error
        return comparison_page.page(comparison, linked=self._runs.names())


def serve(port: int, comparison: Path) -> None:
    """Serve until Ctrl-C, on loopback; `port` 0 is a free one.

    Raises:
        CouldNotRun: the port is taken.
    """
    import uvicorn

    chosen = require_free(port) if port else free_ports(1)[0]
    app = Pages(settings(), comparison.resolve(), secrets.token_urlsafe()).app()
    print(f"http://127.0.0.1:{chosen}/", flush=True)
    # the rollout that is looked at must not be slower for it
    os.nice(10)
    uvicorn.run(app, host="127.0.0.1", port=chosen, log_level="critical", timeout_graceful_shutdown=1)


def _steer(name: str, folder: RunFolder, lab: Lab) -> str:
    if name not in COMMANDS:
        raise UsageError(f"{name} is no command; there are {', '.join(COMMANDS)}")
    alive = live_run(lab)
    if alive is None or alive.path.resolve() != folder.path.resolve():
        raise UsageError(f"{folder.path.name} is not under way, so there is nothing to {name}")
    if name == "abort":
        # no word in a file, but the signal that every labctl hears
        _abort(lab)
    else:
        lab.ask(Command(name))
    return f"asked to {name}"


def _abort(lab: Lab) -> None:
    holder = lab.holder()
    if holder is None or holder.pid is None:
        raise UsageError("the labctl that performs it runs on another machine: end it by `labctl abort`")
    with suppress(ProcessLookupError):
        os.kill(holder.pid, signal.SIGTERM)


def _stream(events: AsyncIterator[str]) -> StreamingResponse:
    return StreamingResponse(events, media_type="text/event-stream")


def _event(name: str, data: dict[str, str]) -> str:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"


async def _sentence(_request: Request, error: Exception) -> Response:
    return PlainTextResponse(str(error), 404 if isinstance(error, UsageError) else 500)


async def _defect(_request: Request, error: Exception) -> Response:
    return PlainTextResponse(f"a defect in labctl itself: {error!r}", 500)
