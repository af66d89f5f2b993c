"""One tree for everything that can go wrong, each with the exit code that a script sees.

LabError                  a sentence that says what is wrong and what to do
├── UsageError        2   wrong arguments, an unknown version, nothing to do
├── CouldNotRun       3   the lab could not do it, or could not tell
│   ├── LockHeld          another rollout runs; its holder is named
│   │   └── TakenOver     it goes on with this very rollout, which is no longer ours
│   ├── ToolFailed        a program failed: its command and the tail of its stderr
│   ├── NotReady          a deadline passed; why, in the server's own words
│   ├── CapacityMissing   too few ready replicas for the weight
│   ├── RouteRefused      the proxy refused a configuration, or it is owned by a newer run
│   ├── WitnessLost       users or Prometheus cannot be asked
│   └── StoreRefused      a model, a state file or a run's folder cannot be read or written
└── Interrupted     130   Ctrl-C or SIGTERM
"""


class LabError(Exception):
    """What is wrong, in one sentence that a user can act on."""

    exit_code = 3


class UsageError(LabError):
    """Wrong arguments, an unknown version, or nothing to do."""

    exit_code = 2


class CouldNotRun(LabError):
    """The lab could not do what was asked, or could not tell how it went."""


class LockHeld(CouldNotRun):
    """Another rollout runs; the sentence names its holder."""


class TakenOver(LockHeld):
    """Somebody has taken this rollout over and brings it to its end, so nothing is left to do here."""


class ToolFailed(CouldNotRun):
    """A program failed.

    Attributes:
        command: the program and its arguments.
        stderr: the last lines that it wrote to stderr (or to its log).
    """

    def __init__(self, what: str, command: tuple[str, ...] = (), stderr: str = "") -> None:
        detail = f": {stderr.strip()}" if stderr.strip() else ""
        super().__init__(f"{what}{detail}" + (f" (command: {' '.join(command)})" if command else ""))
        self.command = command
        self.stderr = stderr


class NotReady(CouldNotRun):
    """Something did not become true before its deadline; the sentence says why, as far as the server told."""


class CapacityMissing(CouldNotRun):
    """A slot has too few ready replicas for the weight it was to get."""


class RouteRefused(CouldNotRun):
    """The proxy refused the routes (in its own words), or a newer run owns them."""


class WitnessLost(CouldNotRun):
    """The users' log or Prometheus cannot be asked any more."""


class StoreRefused(CouldNotRun):
    """A model, the state file or a run's folder cannot be read or written."""


class Interrupted(LabError):
    """A person or the system asked the rollout to end."""

    exit_code = 130
