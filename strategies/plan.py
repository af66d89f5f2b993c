"""A rollout as data: a tuple of frozen steps and the way back.

A strategy is a pure function from its options to a `Plan`, so a plan can be printed, compared in a test, stored and
resumed. Steps name slots rather than roles: roles move while the plan is carried out, slots do not.
"""

import msgspec

from strategies.traffic import Slot, Traffic


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """A version of the model at a number of replicas."""

    version: str
    replicas: int


class Baseline(msgspec.Struct, frozen=True, tag=True):
    """Watch stable alone for `seconds`: what users are used to, before anything changes."""

    seconds: float


class Deploy(msgspec.Struct, frozen=True, tag=True):
    """Have `release` running and ready in `slot`, more or fewer replicas than before; its traffic is left alone."""

    slot: Slot
    release: Release


class Route(msgspec.Struct, frozen=True, tag=True):
    """Share the requests as `traffic` says, then verify it by who answered."""

    traffic: Traffic


class Analyse(msgspec.Struct, frozen=True, tag=True):
    """Compare the candidate with stable for `seconds`; only PASS goes on, FAIL ends it at once."""

    seconds: float


class Promote(msgspec.Struct, frozen=True, tag=True):
    """Make `slot`, which by now has all the traffic, the stable one. From here on nothing rolls back."""

    slot: Slot


class Hold(msgspec.Struct, frozen=True, tag=True):
    """Leave everything as it is for `seconds`; `phase` names what users live in meanwhile."""

    seconds: float
    phase: str


class Drain(msgspec.Struct, frozen=True, tag=True):
    """Wait until `slot`, which gets no traffic, has answered what it had accepted."""

    slot: Slot


class Retire(msgspec.Struct, frozen=True, tag=True):
    """Stop what runs in `slot`."""

    slot: Slot


Step = Baseline | Deploy | Route | Analyse | Promote | Hold | Drain | Retire


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a rollout will do, in order, and what undoes it up to its promotion.

    Attributes:
        strategy: the strategy's name.
        replicas: how many replicas all the traffic needs; capacity is measured against it.
        steps: the way forward.
        way_back: from any step before `Promote`; its first step takes the traffic away from the candidate.
    """

    strategy: str
    replicas: int
    steps: tuple[Step, ...]
    way_back: tuple[Step, ...] = ()


def title(step: Step) -> str:
    """The step in words, with its numbers."""
    match step:
        case Baseline(seconds):
            return f"baseline: watch stable alone for {seconds:g} s"
        case Deploy(slot, release):
            return f"deploy {release.version} to {slot}, {release.replicas} ready replica{'s' * (release.replicas != 1)}"
        case Route(traffic):
            return f"route {traffic.percent(Slot.BLUE)} % to blue, {traffic.percent(Slot.GREEN)} % to green"
        case Analyse(seconds):
            return f"analyse for {seconds:g} s: only PASS goes on"
        case Promote(slot):
            return f"promote: {slot} is stable from here on"
        case Hold(seconds, phase):
            return f"hold for {seconds:g} s: {phase}"
        case Drain(slot):
            return f"drain {slot}"
        case Retire(slot):
            return f"retire {slot}"
