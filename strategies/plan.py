"""A rollout as data: a tuple of frozen steps and the way back.

A strategy is a pure function from its options to a `Plan`, so a plan can be printed, compared in a test, stored and
resumed. Steps name slots rather than roles: roles move while the plan is carried out, slots do not.
"""

from enum import StrEnum

import msgspec

from strategies.errors import UsageError
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


class Replacement(StrEnum):
    """How a version is exchanged in its slot."""

    RECREATE = "recreate"
    """All of the old away, then the new: nobody answers in between."""
    ROLLING = "rolling"
    """Some new ones more, then some old ones less, until all are new."""


class Replace(msgspec.Struct, frozen=True, tag=True):
    """Exchange what runs in `slot` for `release`, in place; the slot keeps its traffic meanwhile.

    A rolling exchange runs at most `max_surge` replicas more than the release has, and at most `max_unavailable` fewer
    ready ones, as a Deployment of Kubernetes does.
    """

    slot: Slot
    release: Release
    how: Replacement
    max_surge: int = 1
    max_unavailable: int = 0


class Route(msgspec.Struct, frozen=True, tag=True):
    """Share the requests as `traffic` says, then verify it by who answered."""

    traffic: Traffic


class Subject(StrEnum):
    """Whom an analysis looks at."""

    USERS = "users"
    """The users of both slots over the same seconds; where one slot serves nobody, its own baseline takes its part."""
    IN_PLACE = "in place"
    """All users, after the exchange against before it."""
    EXCHANGE = "exchange"
    """Those whom the new version answered while both are in the same slot, against before."""
    PREVIEW = "preview"
    """Requests of our own that only the candidate gets."""
    EXPERIMENT = "experiment"
    """A business metric of two groups of users: the share of right answers, from feedback."""
    SHADOW = "shadow"
    """Copies of users' requests, whose answers nobody gets, against stable's answers to the same requests."""

    @property
    def is_the_result(self) -> bool:
        """Whether the verdict is what the rollout is made for, so that no person's word takes its place."""
        return self in {Subject.EXPERIMENT, Subject.SHADOW}


class Analyse(msgspec.Struct, frozen=True, tag=True):
    """Compare the candidate with stable for `seconds`; only PASS goes on, FAIL ends it at once.

    With `needs_winner` a PASS goes on only if the candidate was found better; one that is no worse ends the run as completed.
    """

    seconds: float
    of: Subject = Subject.USERS
    needs_winner: bool = False


class Gate(msgspec.Struct, frozen=True, tag=True):
    """Wait for a person's word, `labctl promote` or `labctl abort`; the candidate is judged on meanwhile as in the analysis before."""


class Promote(msgspec.Struct, frozen=True, tag=True):
    """Make `slot`, which by now has all the traffic, the stable one. From here on nothing rolls back but a person who undoes it."""

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


Step = Baseline | Deploy | Replace | Route | Analyse | Gate | Promote | Hold | Drain | Retire


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a rollout will do, in order, and what undoes it up to its promotion.

    Attributes:
        strategy: the strategy's name.
        replicas: how many replicas all the traffic needs; capacity is measured against it.
        steps: the way forward.
        way_back: from any step before `Promote`; its first step takes the traffic away from the candidate.
        before: what ran in the stable slot, so that a way back finds it even if its replicas died; None for nothing known.
    """

    strategy: str
    replicas: int
    steps: tuple[Step, ...]
    way_back: tuple[Step, ...] = ()
    before: Release | None = None

    @property
    def in_place(self) -> bool:
        """Whether both versions have the same slot, one after the other."""
        return any(isinstance(step, Replace) for step in self.steps)


def require_sane(replicas: int, *seconds: float) -> None:
    """What every strategy's options must be.

    Raises:
        UsageError: no replica, or a negative time.
    """
    if replicas < 1:
        raise UsageError(f"a version needs at least one replica, not {replicas}")
    if min(seconds) < 0:
        raise UsageError("hold, baseline and keep are seconds, and not negative")


def title(step: Step) -> str:
    """The step in words, with its numbers."""
    match step:
        case Baseline(seconds):
            return f"baseline: watch stable alone for {seconds:g} s"
        case Deploy(slot, release):
            return f"deploy {release.version} to {slot}, {release.replicas} ready replica{'s' * (release.replicas != 1)}"
        case Replace(slot, release, how):
            return (
                f"exchange {slot} in place ({how}) for {release.version}, {release.replicas} ready replica{'s' * (release.replicas != 1)}"
            )
        case Route(traffic):
            plain = Traffic(stable=traffic.stable, weight=traffic.weight)
            more = "" if traffic == plain else f"; {traffic.candidate} gets {traffic.in_words()}"
            return f"route {traffic.percent(Slot.BLUE)} % to blue, {traffic.percent(Slot.GREEN)} % to green{more}"
        case Analyse(seconds, of, needs_winner):
            whom = "" if of is Subject.USERS else f" ({of})"
            return f"analyse{whom} for {seconds:g} s: only {'a winner' if needs_winner else 'PASS'} goes on"
        case Gate():
            return "gate: wait for `labctl promote` or `labctl abort`"
        case Promote(slot):
            return f"promote: {slot} is stable from here on"
        case Hold(seconds, phase):
            return f"hold for {seconds:g} s: {phase}"
        case Drain(slot):
            return f"drain {slot}"
        case Retire(slot):
            return f"retire {slot}"
