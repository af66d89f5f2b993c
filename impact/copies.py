"""What became of a shadow's copies, by the counts of the servers that got them; and whether a missing answer is the candidate's doing.

The prediction log has what the model said of a request, so a copy that was refused, hung or hit a dead replica is not in it, as one
that the proxy never sent. The candidate's own counters tell these apart.
"""

from collections.abc import Mapping
from datetime import datetime
from math import isinf
from typing import NamedTuple, Protocol

import msgspec

from impact.judge import judge
from impact.prediction_log import Drops
from impact.served import failures, longest_absence, percentile
from strategies.judgement import Count, Fact, MetricJudgement
from strategies.run import JudgeOptions
from strategies.traffic import Slot, Traffic

AWAY_SCRAPES = 3
"""So many scrapes in a row that a replica does not answer are no accident of a busy machine: it is dead, or hangs as a whole."""

PERCENTILES = (0.50, 0.95, 0.99)


class Servers(Drops, Protocol):
    """Who knows what the replicas counted; see `impact.prometheus.PrometheusWitness`."""

    def answered(self, slot: Slot, since: datetime, until: datetime, *, mirrored: bool = False) -> Mapping[str, int] | None:
        """How many users' requests, or copies of such, were answered, by status; None if that is not known."""

    def durations(self, slot: Slot, since: datetime, until: datetime, *, mirrored: bool = False) -> Mapping[float, int]:
        """How many of them took at most so many seconds."""

    def in_flight(self, slot: Slot, at: datetime) -> int:
        """How many were got and not answered."""

    def scrapes(self, slot: Slot, since: datetime, until: datetime) -> list[list[bool]]:
        """For each replica, whether it answered its scrapes."""


class Copies(NamedTuple):
    """What the servers counted while requests were copied.

    Attributes:
        statuses: the copies that the candidate answered, by status; None if not known.
        in_flight: copies that it has got and not answered.
        users: the users' requests that stable answered, by status; None if not known.
        copies_took, users_took: how many of either took at most so many seconds.
        away: replicas of the candidate that were not there for some time.
        mirror: the share (0..1) of stable's requests that were to be copied.
    """

    statuses: Mapping[str, int] | None
    in_flight: int
    users: Mapping[str, int] | None
    copies_took: Mapping[float, int]
    users_took: Mapping[float, int]
    away: int
    mirror: float

    def facts(self) -> dict[str, Fact]:
        """The same for people."""
        known = self.statuses or {}
        failed = failures(known)
        return {
            "copies that the candidate answered, by its own count": None if self.statuses is None else failed.n,
            "of them failed (no 2xx)": None if self.statuses is None else failed.bad,
            **{f"of them with status {status}": n for status, n in sorted(known.items()) if n and not status.startswith("2")},
            "copies in the candidate that it had not answered": self.in_flight,
            **{f"{_name(q)} of copies in the candidate's replicas (s)": _seconds(self.copies_took, q) for q in PERCENTILES},
            **{f"{_name(q)} of requests in stable's replicas (s)": _seconds(self.users_took, q) for q in PERCENTILES},
            **({"replicas of the candidate that were away": self.away} if self.away else {}),
        }

    def found(self) -> str:
        """What the candidate did with them, in words."""
        said = [f"answered {n} with status {status}" for status, n in sorted((self.statuses or {}).items()) if n]
        said += [f"had not answered {self.in_flight}"] if self.in_flight else []
        said += [f"did not answer Prometheus either, in {self.away} of its replicas"] if self.away else []
        return f"of the copies the candidate itself {', '.join(said) or 'counted none'}"

    def charged(self, came: int, good: int, asked: int, options: JudgeOptions, *, alpha: float) -> MetricJudgement | None:
        """Judges the copies that were not answered well as failed; None unless it is the candidate that has most of the missing ones.

        A copy that it answered well and that is not in the log is none of these: there the log is late.

        Args:
            came: pairs in the prediction log.
            good: those of them with a good answer of the candidate.
            asked: users' requests that stable answered, of which the candidate was to get its share.
            options: which harm is acceptable, and which must be seen.
            alpha: the probability of a wrong FAIL.
        """
        users, copies = failures(self.users or {}), failures(self.statuses or {})
        if not users.n or (self.statuses is None and not self.away):
            return None
        # both are seen through the same scrapes, so what these miss at either end does not matter to the ratios
        arrived = min(self.mirror, (copies.n + self.in_flight) / users.n)
        unanswered = (copies.bad + self.in_flight) / users.n - (came - good) / asked
        missing = self.mirror - came / asked
        if self.away:
            # who is not there cannot count what was sent to it
            arrived, unanswered = self.mirror, missing
        if unanswered <= missing / 2:
            return None
        sent = max(came, round(arrived * asked))
        bad = min(sent, came - good + round(unanswered * asked))
        candidate, stable = Count(bad, sent), Count(users.bad, users.n)
        judged = judge(
            {"failed": (candidate, stable)},
            {},
            msgspec.structs.replace(options, alpha=alpha),
            1,
            share=sent / (sent + users.n),
            final=True,
        )
        return judged.metrics[0]


def account(servers: Servers, traffic: Traffic, since: datetime, until: datetime) -> Copies:
    """What the servers counted between two times.

    Raises:
        WitnessLost: they cannot be asked.
    """
    candidate, stable = traffic.candidate, traffic.stable
    return Copies(
        statuses=servers.answered(candidate, since, until, mirrored=True),
        in_flight=servers.in_flight(candidate, until),
        users=servers.answered(stable, since, until),
        copies_took=servers.durations(candidate, since, until, mirrored=True),
        users_took=servers.durations(stable, since, until),
        away=sum(longest_absence(scrapes) >= AWAY_SCRAPES for scrapes in servers.scrapes(candidate, since, until)),
        mirror=traffic.mirror / 100,
    )


def _name(q: float) -> str:
    return f"p{100 * q:.0f}"


def _seconds(at_most: Mapping[float, int], q: float) -> Fact:
    seconds = percentile(at_most, q)
    if seconds is not None and isinf(seconds):
        return f"more than {max(bound for bound in at_most if not isinf(bound)):g}"
    return seconds
