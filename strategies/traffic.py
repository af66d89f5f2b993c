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


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """Users who always get the candidate: those whose header (or cookie) `name` has exactly this `value`.

    Attributes:
        share: whole percents of all users who are expected to match; 0 if nobody knows.
    """

    name: str
    value: str
    cookie: bool = False
    share: int = 0

    def __str__(self) -> str:
        """As a person writes it."""
        return f"{'cookie:' if self.cookie else ''}{self.name}={self.value}"


class Traffic(msgspec.Struct, frozen=True, kw_only=True):
    """How requests are shared between the two slots.

    Attributes:
        stable: the slot that a rollback returns to.
        weight: whole percents (0..100) of the requests that go to the other slot, the candidate's.
        preview: requests with the header `x-lab-preview: 1`, ours alone, go to the candidate.
        match: users who always get the candidate, whatever the weight says of the others.
        mirror: whole percents (0..100) of stable's requests of which the candidate gets a copy; nobody gets its answers.
        mirror_writes: requests that change something are copied too.
        sticky: each user stays where their first request went, by a cookie named after this token; empty if they do not.
        forget: the token of a cookie that is taken back from those who still have it; empty for none.
    """

    stable: Slot
    weight: int = 0
    preview: bool = False
    match: Match | None = None
    mirror: int = 0
    mirror_writes: bool = False
    sticky: str = ""
    forget: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.weight <= 100:
            raise ValueError(f"a weight is 0 to 100 percent, not {self.weight}")
        if not 0 <= self.mirror <= 100:
            raise ValueError(f"a share to copy is 0 to 100 percent, not {self.mirror}")

    @property
    def candidate(self) -> Slot:
        """The slot that is not stable."""
        return self.stable.other

    def percent(self, slot: Slot) -> int:
        """Whole percents of the requests that `slot` gets."""
        return 100 - self.weight if slot is self.stable else self.weight

    @property
    def intended(self) -> int:
        """Whole percents of the users' requests that the candidate is to answer."""
        return self.match.share if self.match else self.weight

    @property
    def needed(self) -> int:
        """Whole percents of the traffic that the candidate must be able to carry: copies cost as much as requests."""
        return max(self.intended, self.mirror, int(self.preview or self.match is not None))

    def in_words(self) -> str:
        """What the candidate gets."""
        said = [f"{self.weight} %"] if self.weight or not (self.preview or self.match or self.mirror) else []
        said += [f"users with {self.match}"] if self.match else []
        said += ["our preview"] if self.preview else []
        said += [f"a copy of {self.mirror} %"] if self.mirror else []
        return " and ".join(said) + (", each user stays" if self.sticky else "")

    def role(self, slot: Slot) -> Role:
        """What `slot` is under this traffic."""
        return Role.STABLE if slot is self.stable else Role.CANDIDATE


PREVIEW_HEADER = "x-lab-preview"


def replicas_needed(replicas: int, percent: int) -> int:
    """Of the `replicas` that all the traffic needs, how many must be ready to carry `percent` of it.

    A share however small needs one replica; no share needs none.
    """
    return ceil(replicas * percent / 100)
