"""The reference of exit codes and errors, from the two trees of errors and from the outcomes of a run."""

import re
from collections.abc import Iterator
from inspect import cleandoc

from app.errors import AppError
from cli import main
from handbook.markdown import code, page, sentence, summary, table
from impact.wording import OUTCOMES
from platforms.kubernetes.client import ApiRefused
from strategies.errors import LabError


def reference() -> str:
    """The page."""
    return page(
        "Exit codes and errors",
        "`strategies/errors.py`, `app/errors.py` and `cli/main.py`",
        "Every command ends with one of these codes, so a script needs to read nothing else.",
        table(("exit code", "means"), exit_codes()),
        "Whatever goes wrong is told on stderr in one sentence: what is wrong, and what to do. A traceback is never shown. If `labctl` "
        "itself has a defect, the traceback is in `labctl-defect.log` in `LAB_HOME`, and the sentence says so.",
        "## How a run ends",
        table(
            ("outcome in `summary.json`", "what it means"),
            ((code(outcome or "null"), sentence(words)) for outcome, words in OUTCOMES.items()),
        ),
        "## Errors of labctl",
        table(("error", "exit code", "when"), _errors(LabError)),
        "## Errors of the model API",
        "The programs that make, publish and serve models end with these; an answer over HTTP has a status instead.",
        table(("error", "exit code", "when"), _errors(AppError)),
    )


def exit_codes() -> list[tuple[str, str]]:
    """Each code with what it means, as the command line's own module says it."""
    _, _, listed = cleandoc(main.__doc__ or "").partition("Exit codes: ")
    return [(code_, sentence(words)) for code_, words in re.findall(r"(\d+) ([^;.]+)", " ".join(listed.split()))]


# it stands beside its client; unread, it would be listed only where somebody else had imported it
BESIDE = (ApiRefused,)


def _errors(base: type[LabError | AppError]) -> Iterator[tuple[str, int, str]]:
    for kind in base.__subclasses__():
        yield code(kind.__name__), kind.exit_code, summary(kind)
        yield from _errors(kind)
