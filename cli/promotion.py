"""The last promotion on a lab, which is what `labctl undo` takes back, and the plan that does so."""

from typing import TYPE_CHECKING

import msgspec

from cli.settings import settings
from strategies.errors import UsageError
from strategies.plan import Plan, Release
from strategies.run import LoadOptions, Run
from strategies.undo import undo

if TYPE_CHECKING:
    from cli.labs import Lab
    from cli.performing import Stable
    from impact.rundir import RunFolder


def last_promotion(lab: "Lab") -> "RunFolder":
    """The run that brought what serves now.

    Raises:
        UsageError: none is known, or something else serves by now.
    """
    from impact.rundir import list_runs

    here = (folder for folder in list_runs(settings().runs) if _promoted(folder, lab.name))
    found = lab.promotion() or next(here, None)
    if found is None:
        raise UsageError("nothing was promoted yet, so there is nothing to undo; `labctl runs` lists what was done")
    serving = lab.serving()
    if serving and serving.version != found.run.to_version:
        raise UsageError(
            f"the last promotion that is known here is {found.path.name}, and {serving.version} serves now; name the version to go "
            "back to, as `labctl rollout blue-green --to VERSION`"
        )
    return found


def _promoted(folder: "RunFolder", platform: str) -> bool:
    summary = folder.read_summary()
    return summary is not None and summary.outcome == "promoted" and folder.run.platform == platform


def version_before(run: Run) -> Release:
    """What served before `run` promoted another version."""
    return run.plan.before or Release(version=run.from_version, replicas=run.plan.replicas)


def plan_back(run: Run, stable: "Stable") -> Plan:
    """The plan that gives everybody the version from before `run` again, with as many replicas as serve now.

    Where somebody has scaled what serves now to none, that is likely what is to be undone: it gets as many as it had before.
    """
    before = version_before(run)
    replicas = stable.release.replicas or before.replicas or run.plan.replicas
    return undo(msgspec.structs.replace(before, replicas=replicas), stable.slot, baseline=0.0, keep=2.0)


def users_meanwhile(run: Run, rate: float | None) -> LoadOptions:
    """The lab's users while `run` is undone: `rate` requests per second, as many as it had if nobody says.

    Users of an experiment's groups are users like all others by then.
    """
    return LoadOptions(rate=run.load.rate if rate is None else rate, users=run.load.users, seed=run.load.seed)
