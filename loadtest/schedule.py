"""When each request is to be sent, by which user and with which case: a seeded Poisson process, drawn lazily.

The schedule is fixed before the first answer is known (an open loop), so a slow server meets the same load as a fast
one. Only `Random.random()` is drawn from, the one method whose sequence Python promises to keep from version to version.
Times come from one stream of random numbers, users and cases from another: the n-th request is the same one whatever
the rate and the shape.
"""

from collections.abc import Callable, Iterator, Mapping
from math import inf, log
from random import Random
from typing import NamedTuple

from strategies.run import LoadOptions


class Arrival(NamedTuple):
    """One request to come."""

    offset: float
    """Seconds from the start of the schedule, in whole microseconds."""
    user: int
    """0 to `users` - 1."""
    case: int
    """An index into the cases."""


class Shape(NamedTuple):
    """How the rate moves, as a multiple of the mean rate; over the whole time its mean is 1."""

    multiple: Callable[[float], float]
    """Of the share (0..1) of the time that has passed."""
    peak: float
    """No multiple is larger."""


SHAPES: Mapping[str, Shape] = {
    # the rate itself throughout
    "constant": Shape(lambda _: 1.0, 1.0),
    # five equal stairs: 50, 75, 100, 125 and 150 % of the rate
    "steps": Shape(lambda share: 0.5 + 0.25 * min(int(share * 5), 4), 1.5),
    # a straight line from nothing to twice the rate
    "ramp": Shape(lambda share: 2.0 * share, 2.0),
    # half the rate, but three times the rate in the middle fifth
    "spike": Shape(lambda share: 3.0 if 0.4 <= share < 0.6 else 0.5, 3.0),
}


def rate_at(options: LoadOptions, offset: float) -> float:
    """Requests per second, `offset` seconds into the schedule; over the whole time its mean is `options.rate`."""
    share = offset / options.seconds if options.seconds else 0.0
    return options.rate * SHAPES[options.shape].multiple(share)


def arrivals(options: LoadOptions, cases: int) -> Iterator[Arrival]:
    """The requests in order, without end if `options.seconds` is None; the same for the same options on any machine.

    Args:
        options: of the load; its seed, rate, shape, seconds and users make the schedule.
        cases: how many cases there are to draw from.

    Raises:
        ValueError: no rate, user, case or time; an unknown shape; or one that needs an end and has none.
    """
    if not 0 < options.rate < inf:
        raise ValueError(f"a load needs a rate above 0 requests per second, not {options.rate:g}")
    if options.users < 1 or cases < 1:
        raise ValueError(f"a load needs users and cases, not {options.users} and {cases}")
    if options.shape not in SHAPES:
        raise ValueError(f"unknown shape {options.shape!r}; there are {', '.join(SHAPES)}")
    if options.seconds is None and options.shape != "constant":
        raise ValueError(f"shape {options.shape!r} needs a number of seconds to spread over; without an end there is only 'constant'")
    if options.seconds is not None and not 0 < options.seconds < inf:
        raise ValueError(f"a load lasts more than 0 seconds, not {options.seconds:g}")
    return _draw(options, cases)


def _draw(options: LoadOptions, cases: int) -> Iterator[Arrival]:
    # Thinning (Lewis & Shedler 1979, "Simulation of nonhomogeneous Poisson processes by thinning"): candidates come at
    # the peak rate with exponential gaps, and one at time t stays with probability rate(t) / peak.
    times = Random(f"times of {options.seed}")  # noqa: S311  a schedule to be repeated, not a secret
    choices = Random(f"choices of {options.seed}")  # noqa: S311  as above
    peak = options.rate * SHAPES[options.shape].peak
    end = inf if options.seconds is None else options.seconds
    offset = 0.0
    while (offset := offset - log(1.0 - times.random()) / peak) < end:
        if times.random() * peak < rate_at(options, offset):
            yield Arrival(round(offset, 6), int(choices.random() * options.users), int(choices.random() * cases))
