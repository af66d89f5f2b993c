"""Where tests of a platform begin, whatever the one before them left."""

from strategies.plan import Release
from strategies.platform import Platform, SlotState
from strategies.traffic import Slot, Traffic


def start_from(platform: Platform, replicas: int) -> None:
    """Have `replicas` of v1 in blue, which has all the traffic, and nothing in green."""
    traffic, blue = Traffic(stable=Slot.BLUE), SlotState(version="v1", replicas=replicas, ready=replicas)
    found = platform.observe()
    if found.traffic == traffic and found.slots == {Slot.BLUE: blue, Slot.GREEN: SlotState()}:
        return
    if found.traffic and found.slots[Slot.BLUE].version not in {"", "v1"}:
        # blue is exchanged while nobody looks
        platform.route(Traffic(stable=Slot.GREEN))
    platform.deploy(Slot.BLUE, Release(version="v1", replicas=replicas))
    platform.route(traffic)
    platform.retire(Slot.GREEN)
