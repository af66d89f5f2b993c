"""Recreate and rolling: the new version takes the old one's place in its slot, so there is no other slot to go back to.

Both are judged after against before: the users' baseline is what stable did. The way back is the same exchange the other way round.
"""

import msgspec

from strategies.errors import UsageError
from strategies.plan import Analyse, Baseline, Plan, Promote, Release, Replace, Replacement, Subject, require_sane
from strategies.traffic import Slot


class InPlaceOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a person chooses.

    Attributes:
        before: what runs in the stable slot, to go back to.
        stable: the slot that serves now, and goes on serving.
        replicas: how many replicas the new version gets.
        max_surge, max_unavailable: of a rolling exchange, as in Kubernetes; not both 0.
        hold: seconds of the analysis after the exchange.
        baseline: seconds of watching the old version before.
    """

    to_version: str
    before: Release
    stable: Slot
    replicas: int = 2
    max_surge: int = 1
    max_unavailable: int = 0
    hold: float = 55.0
    baseline: float = 5.0


def recreate(options: InPlaceOptions) -> Plan:
    """All of the old away, then the new: nobody answers in between, and how long that lasts is what is measured.

    Raises:
        UsageError: no replicas, or a negative time.
    """
    return _in_place(options, Replacement.RECREATE)


def rolling(options: InPlaceOptions) -> Plan:
    """A few new replicas more, a few old ones less, until all are new.

    Raises:
        UsageError: no replicas, a negative time, or a surge and an unavailability that allow no step.
    """
    if min(options.max_surge, options.max_unavailable) < 0 or options.max_surge == options.max_unavailable == 0:
        raise UsageError(
            f"--max-surge comes to {options.max_surge} and --max-unavailable, of which a percentage is rounded down, to "
            f"{options.max_unavailable}; neither may be negative, and one must be at least 1"
        )
    return _in_place(options, Replacement.ROLLING)


def _in_place(options: InPlaceOptions, how: Replacement) -> Plan:
    require_sane(options.replicas, options.hold, options.baseline)

    def exchange(release: Release) -> Replace:
        return Replace(options.stable, release, how, options.max_surge, options.max_unavailable)

    return Plan(
        strategy=how.value,
        replicas=options.replicas,
        steps=(
            Baseline(options.baseline),
            exchange(Release(version=options.to_version, replicas=options.replicas)),
            Analyse(options.hold, Subject.IN_PLACE),
            Promote(options.stable),
        ),
        way_back=(exchange(options.before),),
        before=options.before,
    )
