"""The parts of a summary: structures only. docs/summary.schema.json is made from them, descriptions included.

Latencies are milliseconds from the intended time and weights are percents, as their names say; everything else is in
the units of the record: seconds, UTC times, ratios 0..1. What was not observed is null, never zero.
"""

from datetime import datetime

import msgspec

from strategies.judgement import Count, Verdict
from strategies.traffic import Slot


class RoleFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What the users met who were sent to one role in one phase.

    Attributes:
        slot: the slot that had the role.
        version: the version in that slot.
        requests: requests sent in the phase and charged to the slot.
        failed: those that got anything but a 2xx.
        slow: those that took longer than the objective; null without an objective.
        wrong: 2xx answers that named the wrong class.
        p50_ms: latency of the answers (of any status) in milliseconds from the intended time; null without any.
        p95_ms: as p50_ms.
        p99_ms: as p50_ms.
    """

    slot: Slot
    version: str
    requests: int
    failed: int
    slow: int | None
    wrong: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


class Roles(msgspec.Struct, frozen=True, kw_only=True):
    """The two slots by what they were in a phase.

    Attributes:
        stable: the slot that a rollback returns to.
        candidate: the other one, which is the old version's once the new one is promoted.
    """

    stable: RoleFigures
    candidate: RoleFigures


class PhaseFigures(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of the run with the same intended shares and the same roles. Requests belong to the phase they were sent in.

    Attributes:
        name: what the rollout did meanwhile; "promoted" begins when the candidate became stable.
        started: when it began.
        seconds: how long it lasted.
        intended_weight: percents of the requests that the candidate was to get.
        served_weight: percents of the attributed requests that it got once the share had settled; null if there were none.
        settle_seconds: from the change of routes until the answers fitted it; null if the phase changed none, or it never settled.
        unattributed: failed requests that no slot can be charged with.
        roles: the figures of both slots.
    """

    name: str
    started: datetime
    seconds: float
    intended_weight: int
    served_weight: float | None
    settle_seconds: float | None
    unattributed: int
    roles: Roles


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """All requests of the users' log, also those before the first phase and after the last.

    Attributes:
        requests: requests that were sent.
        failed: those that got anything but a 2xx.
        unattributed: failed ones that no slot can be charged with.
        slow: those that took longer than the objective; null without an objective.
        wrong: 2xx answers that named the wrong class.
        unsent: requests that were never sent, because more were in flight than allowed; not among `requests`.
        downtime_seconds: the longest run of consecutively sent requests that all failed, from the first one's intended time to the
            next good one's; 0 if none failed.
        users: users who sent a request.
        users_met_both: users who got answers from both versions; in an A/B test only while it ran, as everybody had stable before.
        users_met_bad: users who got a failed request or a wrong answer.
        wrong_of_candidate: the wrong answers that the version that was rolled out gave; a good version gives some too.
        users_harmed: users who got a failed request, or a wrong answer of the version that was rolled out.
        intended_rate: requests per second that the schedule asked for, from the first to the last one; null for fewer than two.
        achieved_rate: requests per second that were sent, from the first to the last one; null for fewer than two.
    """

    requests: int
    failed: int
    unattributed: int
    slow: int | None
    wrong: int
    unsent: int
    downtime_seconds: float
    users: int
    users_met_both: int
    users_met_bad: int
    wrong_of_candidate: int
    users_harmed: int
    intended_rate: float | None
    achieved_rate: float | None


class MetricVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the last look of an analysis said about one metric.

    Attributes:
        phase: the phase that was analysed.
        metric: "failed", "slow" or "wrong".
        candidate: the candidate's bad requests of all.
        stable: stable's bad requests of all.
        margin: how much worse (0..1, in points of the ratio) the candidate may be.
        verdict: what this metric alone says.
        at: when the look was taken.
        evidence: natural logarithm of the evidence that the candidate is worse than stable by more than the margin.
        limit: the evidence from which on harm is proved.
        needed: candidate requests from which on the harm that must not stay unseen would be proved.
        explanation: the same as a sentence.
    """

    phase: str
    metric: str
    candidate: Count
    stable: Count
    margin: float
    verdict: Verdict
    at: datetime
    evidence: float
    limit: float
    needed: int
    explanation: str


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What the last look of an analysis measured beside its verdict.

    Attributes:
        phase: the phase that was analysed.
        facts: by name what was measured; null for what is not known.
    """

    phase: str
    facts: dict[str, int | float | str | None]


class WitnessCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Both witnesses' counts of failed requests of all, over the same analysis and by slot.

    Attributes:
        at: when they were asked.
        prometheus: what Prometheus counted at the servers.
        users: what the users' log says.
        copies: what Prometheus counted of a shadow's copies, by the slot that got them; no user knows of these.
    """

    at: datetime
    prometheus: dict[str, Count]
    users: dict[str, Count]
    copies: dict[str, Count] = {}


class Generator(msgspec.Struct, frozen=True, kw_only=True):
    """How well the load generator itself kept to its schedule.

    Attributes:
        lateness_p99_ms: 99 % of the requests were sent at most this many milliseconds after their time; null without requests.
        warning: a sentence if the generator was late or left requests out, else empty.
    """

    lateness_p99_ms: float | None
    warning: str


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """Where the numbers were measured, and how to measure them again.

    Attributes:
        python: version of Python.
        platform: operating system and machine.
        cpu_count: processors of the machine.
        versions: of the programs and packages that the numbers depend on.
        seed: of the load's schedule.
        command: what was typed.
    """

    python: str
    platform: str
    cpu_count: int
    versions: dict[str, str]
    seed: int
    command: tuple[str, ...]
