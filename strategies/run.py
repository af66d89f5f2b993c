"""A run's identity card, `plan.json`: all that is needed to repeat, resume, undo and report it."""

from datetime import datetime

import msgspec

from strategies.plan import Plan
from strategies.traffic import Slot


class LoadOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The users of a run.

    Attributes:
        rate: requests per second, the mean of a Poisson process; 0 for no load.
        users: how many users share the requests.
        seed: of the schedule; the same seed gives the same intended times, users and cases.
        timeout: seconds after which a user gives a request up, from its sending.
        in_flight: how many requests may be under way at once; what exceeds it is logged as unsent.
        shape: how the rate moves over time: "constant", "steps", "ramp" or "spike".
        seconds: how long; None until stopped.
        group_header: the header by which users tell their group (`cookie:NAME` for a cookie); empty if there are no groups.
        group_value: what the users of the group send in it; all others send nothing.
        group_share: whole percents (0..100) of the users who belong to the group, chosen by `seed`.
        cookies: users keep the cookies that they are given.
        feedback: users tell the model API what was right, after each answer.
    """

    rate: float = 50.0
    users: int = 100
    seed: int = 1
    timeout: float = 5.0
    in_flight: int = 500
    shape: str = "constant"
    seconds: float | None = None
    group_header: str = ""
    group_value: str = ""
    group_share: int = 0
    cookies: bool = False
    feedback: bool = False


class JudgeOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How strictly a candidate is judged.

    Attributes:
        margin: how much worse than stable, in points of each ratio (0..1), is still acceptable.
        detect: the harm beyond the margin (points, 0..1) that must not stay unseen.
        objective: seconds; slower requests count as slow. None: five times stable's p99 in the baseline.
        alpha: the probability of a wrong FAIL, over all metrics and analyses of the run together.
        max_disagreement: the ratio (0..1) of a shadow's answers that may differ from stable's to the same requests.
        preview_rate: requests per second of our own to a preview.
    """

    margin: float = 0.02
    detect: float = 0.10
    objective: float | None = None
    alpha: float = 0.05
    max_disagreement: float = 0.10
    preview_rate: float = 20.0


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for, before it was carried out.

    Attributes:
        id: the name of the folder under `runs/`.
        command: what the user typed, to repeat it.
        stable, candidate: the slots at the start; `from_version` runs in `stable`, `to_version` will run in `candidate`.
        owns_lab: the lab was started for this run and ends with it.
        timeout: seconds that a deployment, a change of routes or a drain may take.
        digests: the sha256 of each version's model as the store has it that the run was begun with, so that a machine with another
            store, or with none, goes on with the same models; a version is left out whose card does not tell.
    """

    id: str
    started: datetime
    command: tuple[str, ...]
    platform: str
    from_version: str
    to_version: str
    stable: Slot
    candidate: Slot
    plan: Plan
    load: LoadOptions
    judge: JudgeOptions
    timeout: float
    owns_lab: bool = False
    digests: dict[str, str] = {}
