"""Has a change of routes happened? By who answers: users first, probes of our own where users are too few or are not concerned.

A share is settled when the answers since the change fit it and exclude the old one. Who is chosen by a header (our preview,
users who match) is all or nothing, so the last few answers must all come from where they should. Copies are counted by
the servers that get them, as nobody else sees them.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import httpx

from impact import binomial
from impact.prometheus import PrometheusWitness
from impact.userlog import Request
from strategies.errors import WitnessLost
from strategies.traffic import PREVIEW_HEADER, Match, Slot, Traffic
from strategies.userlog import SLOT_HEADER
from strategies.witness import Answers

PROBES_AT_ONCE = 50
CHOSEN_PROBES = 5
"""Probes of each kind of request that is all or nothing, and as many of its users' last answers, that must agree."""
PROBE_SECONDS = 5.0


class Settlement:
    """Watches one change of routes after the other.

    Args:
        gateway: URL that probes are sent to.
        prometheus: counts the copies that the candidate got.
        matched: whether a user, by number, belongs to those who match; None if no lab's user does.
        copies: whether there are users whose requests are copied.
    """

    def __init__(self, gateway: str, prometheus: PrometheusWitness, matched: Callable[[int], bool] | None, *, copies: bool) -> None:
        self._client = httpx.Client(
            base_url=gateway, timeout=PROBE_SECONDS, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0)
        )
        self._prometheus = prometheus
        self._matched = matched
        self._copies = copies
        self._since: datetime | None = None
        self._probed: list[Slot] = []

    def answers(self, new: Traffic, old: Traffic, since: datetime, users: Sequence[Request], *, probe: bool) -> Answers:
        """Who answered the `users`' requests sent since `since`, newest first; with `probe`, probes are sent and added."""
        if self._since != since:
            self._since, self._probed = since, []
        if probe:
            self._probed += self._probe(PROBES_AT_ONCE)
        plain = _first_of_each(users) if new.sticky else users
        if self._matched and new.match:
            plain = [request for request in users if not self._matched(request.user)]
        slots = [request.slot for request in plain if request.slot] + self._probed
        candidate = slots.count(new.candidate)
        # the shares of one and the same slot: promotion may have swapped who is stable
        shares = new.percent(new.candidate) / 100, old.percent(new.candidate) / 100
        settled = binomial.settled(candidate, len(slots), *shares)
        chosen = settled and self._chosen(new, old, users) and self._copied(new)
        return Answers(settled=chosen, candidate=candidate, answers=len(slots), probes=len(self._probed))

    def _chosen(self, new: Traffic, old: Traffic, users: Sequence[Request]) -> bool:
        """Whether those who are chosen by a header go where they should, and no longer where they should not."""
        rest = new.stable if new.weight == 0 else new.candidate if new.weight == 100 else None
        asked: list[tuple[Mapping[str, str], Slot | None]] = []
        if new.preview or old.preview:
            asked.append(({PREVIEW_HEADER: "1"}, new.candidate if new.preview else rest))
        asked += [(_header(match), new.candidate if match == new.match else rest) for match in {new.match, old.match} - {None}]
        if self._matched and new.match:
            last = [request.slot for request in users if self._matched(request.user)][:CHOSEN_PROBES]
            if any(slot is not new.candidate for slot in last):
                return False
        return all(slot is None or set(self._probe(CHOSEN_PROBES, headers)) == {slot} for headers, slot in asked)

    def _copied(self, new: Traffic) -> bool:
        """Whether the candidate gets copies, if it is to get any and there is somebody to copy."""
        if not new.mirror or not self._copies or self._prometheus.mirrored(new.candidate) > 0:
            return True
        # one that hangs on them has got them too, and nobody else asks it anything
        return self._prometheus.in_flight(new.candidate) > 0

    def _probe(self, count: int, headers: Mapping[str, str] | None = None) -> list[Slot]:
        """Requests of our own, never counted as users': who answers /version."""
        answers: list[Slot] = []
        for _ in range(count):
            try:
                name = self._client.get("/version", headers=headers).headers.get(SLOT_HEADER, "")
            except httpx.TimeoutException:
                # each would take as long again, while whoever waits for an order waits for these
                break
            except httpx.TransportError:
                continue
            if name in set(Slot):
                answers.append(Slot(name))
        return answers


def sent(users: Callable[[], list[Request]]) -> list[Request]:
    """The users' requests, or none if their log is lost: a change of routes can be seen by probes alone.

    The way back must not wait for a lost log; an analysis does not forgive it.
    """
    try:
        return users()
    except WitnessLost:
        return []


def _header(match: Match | None) -> Mapping[str, str]:
    if match is None:
        return {}
    return {"cookie": f"{match.name}={match.value}"} if match.cookie else {match.name: match.value}


def _first_of_each(requests: Sequence[Request]) -> list[Request]:
    """Each user's first answer (of requests newest first): where they went later is the cookie's doing."""
    return list({request.user: request for request in requests if request.slot}.values())
