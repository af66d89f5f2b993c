"""What the engine asks of those who watch the users."""

from datetime import datetime
from typing import Protocol

import msgspec

from strategies.events import ObjectiveSet, Witnessed
from strategies.judgement import Judgement
from strategies.plan import Subject
from strategies.traffic import Traffic


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """Who answered since a change of routes.

    Attributes:
        settled: the answers fit the new share and exclude the old one.
        candidate: how many of all `answers` came from the candidate; `probes` of them were our own, not users'.
    """

    settled: bool
    candidate: int
    answers: int
    probes: int


class Witness(Protocol):
    """The users' log and Prometheus, behind the questions that a rollout has."""

    def baseline(self, since: datetime, until: datetime) -> ObjectiveSet | None:
        """Learn what users are used to; what counts as slow from here on, None if nothing was answered."""

    def answers(self, new: Traffic, old: Traffic, since: datetime, *, probe: bool) -> Answers:
        """Who answered the requests sent since `since`; with `probe`, requests of our own are sent and added."""

    def begin(self, of: Subject) -> None:
        """Have ready what looks at `of` take: an analysis' time begins only when it returns.

        Raises:
            WitnessLost: it cannot be had.
        """

    def look(self, traffic: Traffic, since: datetime, *, final: bool, of: Subject = Subject.USERS) -> Judgement:
        """Compare the candidate with stable over the requests sent since `since`, as `of` says.

        Raises:
            WitnessLost: the users' log or Prometheus cannot be asked.
        """

    def second_witness(self, since: datetime, until: datetime) -> Witnessed:
        """Prometheus' counts beside the users' own.

        Raises:
            WitnessLost: Prometheus cannot be asked.
        """
