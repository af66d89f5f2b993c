"""`labctl dashboard`: the runs' reports in a browser, and a run that is under way as it goes on. For this machine alone.

The page is the report's own page. Above it stands what the run does now, pushed every second (server-sent events); the report
below is made anew when a phase begins, and else only now and then, as drawing takes work that the rollout's own machine has to do.
A command needs the token of this start, which only a page that was served here has.
"""

import asyncio
import json
import os
import secrets
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from cli.buttons import COMMANDS, Steered
from cli.common_options import Where
from cli.following import Following, Sight, State
from cli.listing import Listing, Shelf
from cli.own_pages import OwnPages
from cli.settings import Settings, settings
from impact import comparison_page, report, side_by_side
from impact.comparison import Comparison
from impact.rundir import RunFolder
from impact.timeline import over
from platforms.ports import free_ports, require_free
from strategies.errors import LabError, UsageError

LOOK_EVERY = 1.0
"""Seconds between two looks at a run."""
SHARE = 0.1
"""The part of one processor's time that making a run's page anew may take while nothing but time goes by."""


class Pages:
    """The pages of the runs in `places`, and of those of the comparison in the folder `comparison`."""

    def __init__(self, places: Settings, comparison: Path, token: str, where: Where) -> None:
        beside = msgspec.structs.replace(places, home=comparison / "lab", runs=comparison / "runs")
        own = Shelf(places.runs, Steered(places, where))
        # a comparison on a cluster is made on the cluster's one lab
        other = Shelf(beside.runs, own.lab if where.chosen().kubernetes else Steered(beside, where))
        self._runs = Listing(own, other)
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
        return HTMLResponse(await run_in_threadpool(self._side_by_side, *names))

    async def run(self, request: Request) -> Response:
        """A run's report as it is now."""
        folder, lab = await run_in_threadpool(self._runs.find, request.path_params["run"])
        return HTMLResponse(await run_in_threadpool(self._page, folder, lab))

    async def changes(self, request: Request) -> Response:
        """What the run does now, each second, until the browser leaves or the run ends."""
        return _stream(self._sights(*await run_in_threadpool(self._runs.find, request.path_params["run"])))

    async def list_changes(self, _request: Request) -> Response:
        """A notice whenever a run began, ended or was left behind."""
        return _stream(self._news())

    async def steer(self, request: Request) -> Response:
        """Do what the command of that name does."""
        # as bytes, for a header may hold anything
        if not secrets.compare_digest(request.headers.get("x-lab-token", "").encode(), self._token.encode()):
            return PlainTextResponse("this page is from another start of labctl dashboard; load it anew", 403)
        folder, lab = await run_in_threadpool(self._runs.find, request.path_params["run"])
        return PlainTextResponse(await lab.steer(request.path_params["command"], folder))

    def _page(self, folder: RunFolder, lab: Steered) -> str:
        began = time.monotonic()
        commands, headline = ({}, "") if over(folder.events()) else (COMMANDS, Following(folder, lab).headline())
        live = report.Live(self._token, commands, self._nonce, headline, datetime.now(UTC))
        try:
            return report.render(folder, live)
        finally:
            self._drawing = time.monotonic() - began

    async def _sights(self, folder: RunFolder, lab: Steered) -> AsyncIterator[str]:
        following, drawn, at = Following(folder, lab), None, time.monotonic()
        while True:
            try:
                sight = await run_in_threadpool(following.look)
            except LabError as error:
                yield _event("now", {"state": str(error), "headline": "", "html": ""})
            else:
                yield _event("now", {"state": sight.state, "headline": sight.headline, "html": sight.html})
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

    def _side_by_side(self, *names: str) -> str:
        first, second = (report.known(self._runs.find(name)[0]).summary for name in names)
        return side_by_side.page(side_by_side.compare(first, second), linked=True)

    def _compared(self) -> str:
        try:
            comparison = msgspec.json.decode(self._comparison.read_bytes(), type=Comparison)
        except FileNotFoundError as error:
            raise UsageError(f"there is no {self._comparison}; `labctl compare` makes one, and --comparison names its folder") from error
        except (OSError, msgspec.MsgspecError) as error:
            raise UsageError(f"{self._comparison} cannot be read, or is of another version of the lab ({error})") from error
        return comparison_page.page(comparison, linked=self._runs.names())


def serve(port: int, comparison: Path, where: Where) -> None:
    """Serve until Ctrl-C, on loopback; `port` 0 is a free one, `where` is the lab.

    Raises:
        CouldNotRun: the port is taken.
        UsageError: there is no such platform.
    """
    import uvicorn

    chosen = require_free(port) if port else free_ports(1)[0]
    app = Pages(settings(), comparison.resolve(), secrets.token_urlsafe(), where).app()
    print(f"http://127.0.0.1:{chosen}/", flush=True)
    # the rollout that is looked at must not be slower for it
    os.nice(10)
    uvicorn.run(app, host="127.0.0.1", port=chosen, log_level="critical", timeout_graceful_shutdown=1)


def _stream(events: AsyncIterator[str]) -> StreamingResponse:
    return StreamingResponse(events, media_type="text/event-stream")


def _event(name: str, data: dict[str, str]) -> str:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"


async def _sentence(_request: Request, error: Exception) -> Response:
    return PlainTextResponse(str(error), 404 if isinstance(error, UsageError) else 500)


async def _defect(_request: Request, error: Exception) -> Response:
    return PlainTextResponse(f"a defect in labctl itself: {error!r}", 500)
