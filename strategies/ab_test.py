"""A/B test: two groups of users, each with its version, and one question: whose answers are right more often?"""

import msgspec

from strategies.beside import Capacity, promotion, way_back
from strategies.errors import UsageError
from strategies.plan import Analyse, Baseline, Plan, Release, Route, Step, Subject, require_sane
from strategies.traffic import Match, Slot, Traffic


class AbTestOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a person chooses.

    Attributes:
        stable: the slot that serves now; the candidate gets the other one.
        before: what runs there; None if it is not known.
        match: who gets the candidate, by header or cookie; None if they are chosen by `share`.
        share: whole percents (1..99) of the users who get the candidate; with a match its own share counts, if it is known.
        token: names the cookie by which users stay where their first request went; used without `match` only.
        replicas: how many replicas all the traffic needs.
        promote_winner: a candidate that is found better gets everybody; else both ends leave stable alone.
        hold: seconds of the experiment at most.
        baseline: seconds of watching stable alone before.
        keep: seconds for which the old version stays warm after promotion.
    """

    to_version: str
    stable: Slot
    before: Release | None = None
    match: Match | None = None
    share: int = 50
    token: str = "lab"
    replicas: int = 2
    promote_winner: bool = False
    hold: float = 60.0
    baseline: float = 5.0
    keep: float = 5.0


def ab_test(options: AbTestOptions) -> Plan:
    """The plan of an A/B test.

    Raises:
        UsageError: a share that leaves one group empty, no replicas, a negative time.
    """
    share = (options.match.share or options.share) if options.match else options.share
    if not 1 <= share <= 99:
        raise UsageError(f"each group needs users, so a share is 1 to 99 percent, not {share}")
    require_sane(options.replicas, options.hold, options.baseline, options.keep)
    stable = options.stable
    capacity = Capacity(stable.other, options.to_version, options.replicas)
    forget = "" if options.match else options.token
    split = Traffic(stable=stable, match=options.match) if options.match else Traffic(stable=stable, weight=share, sticky=options.token)
    steps: list[Step] = [
        Baseline(options.baseline),
        *capacity.for_percent(share),
        Route(split),
        Analyse(options.hold, Subject.EXPERIMENT, options.promote_winner),
    ]
    if options.promote_winner:
        steps += [*capacity.for_percent(100), Route(Traffic(stable=stable, weight=100, forget=forget)), *promotion(stable, options.keep)]
    else:
        steps += way_back(stable, forget)
    return Plan(strategy="ab-test", replicas=options.replicas, steps=tuple(steps), way_back=way_back(stable, forget), before=options.before)
