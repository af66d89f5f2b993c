"""The last promotion on a lab, which is what `labctl undo` takes back."""

from typing import TYPE_CHECKING

from cli.settings import settings
from strategies.errors import UsageError

if TYPE_CHECKING:
    from cli.labs import Lab
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
