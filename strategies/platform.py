"""What the engine asks of a platform: five verbs, each of which returns when it is true or raises with the reason."""

from collections.abc import Callable
from typing import Protocol

import msgspec

from strategies.plan import Release, Replace
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


class Platform(Protocol):
    """Where a rollout happens. All verbs may be repeated: what is true already is left as it is."""

    def deploy(self, slot: Slot, release: Release) -> None:
        """Have exactly `release.replicas` ready replicas of the version in `slot`; surplus ones are drained first."""

    def replace(self, step: Replace, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Exchange what runs in a slot, which keeps its traffic.

        `meanwhile` is called while waiting; what it raises ends the exchange where it is.
        """

    def route(self, traffic: Traffic) -> None:
        """Share requests as `traffic` says; returns once the proxy has taken it.

        Raises:
            RouteRefused: the proxy refused it, or a newer run owns the routes.
        """

    def retire(self, slot: Slot) -> None:
        """Stop what runs in `slot`, which gets no traffic any more."""

    def observe(self) -> State:
        """What is true now, asked of the proxy and the processes rather than remembered."""
