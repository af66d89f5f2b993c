"""What a shell offers when somebody presses Tab; it must be quick, and silent whatever is wrong."""

from contextlib import suppress

from cli.settings import settings


def versions(incomplete: str) -> list[str]:
    """The versions in the model store that begin so."""
    found: list[str] = []
    with suppress(OSError):
        found = sorted(path.parent.name for path in settings().store.glob("*/model.json"))
    return [name for name in found if name.startswith(incomplete)]


def run_names(incomplete: str) -> list[str]:
    """The runs that begin so, the newest first."""
    found: list[str] = []
    with suppress(OSError):
        found = sorted((path.parent.name for path in settings().runs.glob("*/plan.json")), reverse=True)
    return [name for name in found if name.startswith(incomplete)]
