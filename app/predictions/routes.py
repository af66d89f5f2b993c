"""GET /predictions: what batches have written."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import AfterValidator, AwareDatetime

from app.errors import DatabaseFailed
from app.payloads import PredictionPage, Problem
from app.predictions.shown import Shown

LONGEST_PAGE = 1000
LARGEST_CURSOR = 2**63 - 1


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as exc:
        raise ValueError("is before the year 1 or after 9999 in UTC") from exc


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
PROBLEMS: dict[int | str, dict[str, Any]] = {503: {"model": Problem, "description": "The database cannot be asked"}}


def predictions_router(shown: Shown) -> APIRouter:
    """The route over one database."""
    router = APIRouter()

    # no coroutine: it runs in a thread, so that a slow database keeps no prediction waiting
    @router.get("/predictions", summary="Predictions made in batches, the newest first", responses=PROBLEMS)
    def predictions(
        *,
        version: Annotated[str | None, Query(max_length=63)] = None,
        prediction: Annotated[str | None, Query(max_length=200)] = None,
        since: Annotated[Moment | None, Query(description="made at this time or later")] = None,
        until: Annotated[Moment | None, Query(description="made before this time")] = None,
        limit: Annotated[int, Query(ge=1, le=LONGEST_PAGE)] = 100,
        cursor: Annotated[int | None, Query(ge=1, le=LARGEST_CURSOR, description="next_cursor of the page before")] = None,
    ) -> PredictionPage:
        return shown.page(limit=limit, cursor=cursor, version=version, prediction=prediction, since=since, until=until)

    return router


async def database_failed(_request: Request, exc: DatabaseFailed) -> Response:
    """How a failure of the database is answered; predicting goes on meanwhile."""
    return JSONResponse({"detail": str(exc)}, status_code=503)
