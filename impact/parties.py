"""Which version a request met, for drawings: by slot, or by the version that answered where both have the same slot."""

from typing import Literal, NamedTuple

from impact.summary import Summary
from impact.userlog import Request
from strategies.traffic import Slot

Name = Literal["old", "new"]


class Party(NamedTuple):
    """One of the two versions of a run.

    Attributes:
        slot: the one whose colour it has: its own, but in place there are two versions for one slot.
        label: what it is called in a drawing; in place only by its version, as the slot does not tell the two apart.
    """

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
        names = (summary.from_version, summary.to_version)
        labels = names if self.in_place else tuple(f"{slot}: {name}" for slot, name in zip(slots, names, strict=True))
        self.old = Party("old", names[0], slots[0], labels[0])
        self.new = Party("new", names[1], slots[0].other, labels[1])

    def of(self, request: Request) -> Party | None:
        """The version that a request is charged to; None for none."""
        if request.slot is None or (self.in_place and not request.version):
            return None
        if self.in_place:
            return self.new if request.version == self._new_version else self.old
        return self.old if request.slot is self._old_slot else self.new
