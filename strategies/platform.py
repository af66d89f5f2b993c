"""What the engine asks of a platform: five verbs, each of which returns when it is true or raises with the reason."""

from enum import StrEnum
from typing import Protocol

import msgspec

from strategies.plan import Release
from strategies.traffic import Slot, Traffic


class SlotState(msgspec.Struct, frozen=True, kw_only=True):
    """What is in a slot.

    Attributes:
        version: what runs there; empty if nothing does.
        replicas: how many should run.
        ready: how many the proxy would send requests to.
        in_flight: requests that the proxy has sent there and that are not answered yet.
    """

    version: str = ""
    replicas: int = 0
    ready: int = 0
    in_flight: int = 0


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What is true on the platform. `traffic` is None before the first deployment."""

    traffic: Traffic | None
    slots: dict[Slot, SlotState]


class Replacement(StrEnum):
    """How a version is exchanged in its slot."""

    RECREATE = "recreate"
    """All of the old away, then the new: nobody answers in between."""
    ROLLING = "rolling"
    """One new one more, then one old one less, until all are new."""


class Platform(Protocol):
    """Where a rollout happens. All verbs may be repeated: what is true already is left as it is."""

    def deploy(self, slot: Slot, release: Release) -> None:
        """Have exactly `release.replicas` ready replicas of the version in `slot`; surplus ones are drained first."""

    def replace(self, slot: Slot, release: Release, how: Replacement) -> None:
        """Exchange what runs in `slot`, which keeps its traffic meanwhile."""

    def route(self, traffic: Traffic) -> None:
        """Share requests as `traffic` says; returns once the proxy has taken it.

        Raises:
            RouteRefused: the proxy refused it, or a newer run owns the routes.
        """

    def retire(self, slot: Slot) -> None:
        """Stop what runs in `slot`, which gets no traffic any more."""

    def observe(self) -> State:
        """What is true now, asked of the proxy and the processes rather than remembered."""
