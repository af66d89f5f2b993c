"""Which version a request met, for drawings: by slot, or by the version that answered where both have the same slot."""

from typing import Literal, NamedTuple

from impact.summary import Summary
from impact.userlog import Request
from strategies.traffic import Slot

Name = Literal["old", "new"]


class Party(NamedTuple):
    """One of the two versions of a run. `slot` is the one whose colour it has: its own, but in place there are two for one slot."""

    name: Name
    version: str
    slot: Slot
    label: str


class Parties:
    """The versions of the run that `summary` tells of.

    Attributes:
        old, new: the version that was stable at the start, and the one that was rolled out.
        in_place: both have the same slot.
    """

    def __init__(self, summary: Summary) -> None:
        self._new_version = summary.to_version
        slots = next(((phase.roles.stable.slot, phase.roles.candidate.slot) for phase in summary.phases), (Slot.BLUE, Slot.GREEN))
        self.in_place = slots[0] is slots[1]
        self._old_slot = slots[0]
        self.old = Party("old", summary.from_version, slots[0], f"{slots[0]}: {summary.from_version}")
        self.new = Party("new", summary.to_version, slots[0].other, f"{slots[1]}: {summary.to_version}")

    def of(self, request: Request) -> Party | None:
        """The version that a request is charged to; None for none."""
        if request.slot is None or (self.in_place and not request.version):
            return None
        if self.in_place:
            return self.new if request.version == self._new_version else self.old
        return self.old if request.slot is self._old_slot else self.new
