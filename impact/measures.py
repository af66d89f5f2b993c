"""What a sequence of requests was like for those who sent them. Pure, and the same live as in a report."""

from collections.abc import Iterable, Sequence
from math import ceil

from impact.userlog import Request


def percentile(values: Iterable[float], q: float) -> float | None:
    """The smallest of `values` that a share of at least `q` (0..1) of them does not exceed; None without any.

    The nearest-rank percentile, so it is always a latency that somebody had, never one in between.
    """
    ordered = sorted(values)
    if not ordered:
        return None
    return ordered[max(1, ceil(q * len(ordered))) - 1]


def downtime(requests: Iterable[Request]) -> float:
    """Seconds of the longest stretch in which every request that was sent failed; 0 if none failed.

    It lasts from the intended time of the first failed one to the intended time of the next good one. If no good one
    follows, it lasts to the end of the last failed one: how much longer, nobody has seen.
    """
    longest, began, ended = 0.0, None, 0.0
    for request in sorted((request for request in requests if request.sent is not None), key=_sent):
        if request.failed:
            began = request.intended if began is None else began
            ended = max(ended, request.intended + request.latency)
        elif began is not None:
            longest, began, ended = max(longest, request.intended - began), None, 0.0
    return longest if began is None else max(longest, ended - began)


def rate(times: Iterable[float]) -> float | None:
    """Events per second between the first and the last of `times` (seconds); None for fewer than two, or no time between."""
    ordered = sorted(times)
    if len(ordered) < 2 or ordered[0] == ordered[-1]:
        return None
    return (len(ordered) - 1) / (ordered[-1] - ordered[0])


def lateness(requests: Iterable[Request]) -> list[float]:
    """Seconds by which each request was sent after it should have been: the load generator's own error."""
    return [request.sent - request.intended for request in requests if request.sent is not None]


def latency_percentile_ms(requests: Iterable[Request], q: float) -> float | None:
    """The percentile of the answers' latency, in milliseconds from the intended time; None without any answer."""
    seconds = percentile((request.latency for request in requests if request.answered), q)
    return None if seconds is None else round(seconds * 1000, 3)


def users_met_both(requests: Sequence[Request]) -> int:
    """How many users got answers from more than one version."""
    met: dict[int, set[str]] = {}
    for request in requests:
        if request.version:
            met.setdefault(request.user, set()).add(request.version)
    return sum(len(versions) > 1 for versions in met.values())


def _sent(request: Request) -> float:
    return request.sent or 0.0


def sent_since(requests: Sequence[Request], start: float) -> list[Request]:
    """Those of a log's `requests` that were sent at `start` (epoch seconds) or later, newest first.

    Rows are nearly in the order of their ends, so the search stops at the first that ended well before.
    """
    found: list[Request] = []
    for request in reversed(requests):
        if request.sent is None:
            continue
        if request.intended + request.latency < start - 1:
            break
        if request.sent >= start:
            found.append(request)
    return found
