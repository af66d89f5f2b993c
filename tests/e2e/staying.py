"""Who did not stay with what they first got, by the users' own log."""

from collections.abc import Sequence
from pathlib import Path

from impact.rundir import RunFolder
from impact.timeline import experiment
from impact.userlog import Request, UserLog


def strayed(run: Path) -> list[int]:
    """Users of an experiment who changed the slot though an answer had told them where to stay.

    Who sends a second request before the first is answered has no cookie yet, and may be given another one.
    """
    folder = RunFolder.open(run)
    log = UserLog(folder.requests)
    log.poll()
    began, ended = experiment(folder.run, folder.events()) or (0.0, 0.0)
    users: dict[int, list[Request]] = {}
    for request in log.requests:
        if request.sent is not None and began <= request.sent < ended and request.slot is not None:
            users.setdefault(request.user, []).append(request)
    return [user for user, requests in users.items() if len({request.slot for request in after_the_first(requests)}) > 1]


def after_the_first(requests: Sequence[Request]) -> list[Request]:
    """A user's requests that were sent when all those had been answered that were sent before the first answer."""
    first = min(request.intended + request.latency for request in requests)
    known = max(request.intended + request.latency for request in requests if (request.sent or 0.0) < first)
    return [request for request in requests if (request.sent or 0.0) >= known]
