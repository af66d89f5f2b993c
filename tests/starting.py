"""Where tests of a platform begin, whatever the one before them left."""

from strategies.plan import Release, Replace, Replacement
from strategies.platform import Platform
from strategies.traffic import Slot, Traffic


def start_from(platform: Platform, replicas: int) -> None:
    """Have `replicas` of v1 in blue, which has all the traffic, and nothing in green."""
    traffic, blue = Traffic(stable=Slot.BLUE), Release(version="v1", replicas=replicas)
    found = platform.observe()
    before = found.slots[Slot.BLUE]
    if before.version not in {"", "v1"}:
        # in its place: it may be all that there is, and a platform may go by it
        platform.replace(Replace(Slot.BLUE, blue, Replacement.RECREATE))
    elif (before.version, before.replicas, before.ready) != ("v1", replicas, replicas):
        platform.deploy(Slot.BLUE, blue)
    if found.traffic != traffic:
        platform.route(traffic)
    platform.retire(Slot.GREEN)
