"""Traffic as one frozen value: which slot is stable and how much of the traffic the other one gets.

Pure renderers turn it into Envoy routes (platforms/local) or a VirtualService; nothing else decides who gets a request.
"""

from enum import StrEnum
from math import ceil
from typing import assert_never

import msgspec


class Slot(StrEnum):
    """A place that a version runs in. It has no meaning of its own: who is stable is told by `Traffic`."""

    BLUE = "blue"
    GREEN = "green"

    @property
    def other(self) -> "Slot":
        """The slot beside this one."""
        match self:
            case Slot.BLUE:
                return Slot.GREEN
            case Slot.GREEN:
                return Slot.BLUE
            case _:
                assert_never(self)


class Role(StrEnum):
    """What a slot is at the moment. It moves at promotion; the replicas do not."""

    STABLE = "stable"
    CANDIDATE = "candidate"


class Traffic(msgspec.Struct, frozen=True, kw_only=True):
    """How requests are shared between the two slots.

    Attributes:
        stable: the slot that a rollback returns to.
        weight: whole percents (0..100) of the requests that go to the other slot, the candidate's.
    """

    stable: Slot
    weight: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.weight <= 100:
            raise ValueError(f"a weight is 0 to 100 percent, not {self.weight}")

    @property
    def candidate(self) -> Slot:
        """The slot that is not stable."""
        return self.stable.other

    def percent(self, slot: Slot) -> int:
        """Whole percents of the requests that `slot` gets."""
        return 100 - self.weight if slot is self.stable else self.weight

    def role(self, slot: Slot) -> Role:
        """What `slot` is under this traffic."""
        return Role.STABLE if slot is self.stable else Role.CANDIDATE


def replicas_needed(replicas: int, percent: int) -> int:
    """Of the `replicas` that all the traffic needs, how many must be ready to carry `percent` of it.

    A share however small needs one replica; no share needs none.
    """
    return ceil(replicas * percent / 100)
