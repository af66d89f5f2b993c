"""What a rollout needs of a lab, whatever it runs on: the only place where the command line tells platforms apart."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from strategies.events import AnyEvent
from strategies.platform import Platform as Verbs
from strategies.steering import Command, Control
from strategies.traffic import Slot, Traffic

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cli.clock import SystemClock
    from cli.platforms import Chosen
    from cli.settings import Settings
    from impact.rundir import RunFolder

Found = dict[str, Any]

PATIENCE = 45.0
"""Seconds that a question to a cluster is repeated: longer than a control plane takes to restart."""


class Serving(msgspec.Struct, frozen=True, kw_only=True):
    """What users get now: `replicas` of `version` in the slot `stable`."""

    stable: Slot
    version: str
    replicas: int


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """Who changes a lab: `pid` is its process, None if that runs on another machine."""

    doing: str
    pid: int | None


class Connected(Verbs, Protocol):
    """A platform's verbs, and where to find what users and witnesses ask."""

    @property
    def gateway(self) -> str:
        """Where users send their requests."""

    @property
    def prometheus(self) -> str:
        """Where Prometheus answers."""

    @property
    def prediction_log(self) -> str:
        """The URL of the database in which replicas write down what they predicted; empty if they do not."""

    def instances(self) -> "Mapping[str, Slot]":
        """The replicas that users may be sent to, as Prometheus names them."""

    def require_own_routes(self) -> None:
        """Return if the routes are as the rollout has set them, and nobody else decides about users' requests.

        Raises:
            RouteRefused: they are not; the sentence names who changed them.
        """

    def note_users(self, pid: int | None, log: Path = Path()) -> None:
        """Write down the users' process, so that none is left running; None once it has ended."""


class Lab(Protocol):
    """A lab, which may be there or not."""

    @property
    def name(self) -> str:
        """The platform's, as it is written into a run's plan."""

    def require_addresses(self) -> None:
        """Return if it is known where its users send requests and where its Prometheus answers.

        Raises:
            UsageError: it is not; the sentence says what to set.
        """

    def exclusive(self, doing: str, *, take_over: bool = False) -> AbstractContextManager[None]:
        """Be the only one who changes it; with `take_over` also if one on another machine does.

        Raises:
            UsageError: its addresses are not known.
            LockHeld: somebody else does; the sentence names them.
        """

    def holder(self) -> Holder | None:
        """Who changes it now."""

    def run(self) -> "RunFolder | None":
        """The run that changes it: alive while somebody holds it, else left behind."""

    def note_run(self, folder: "RunFolder | None") -> None:
        """Write down whose run changes it, or that none does any more."""

    def record(self, folder: "RunFolder", event: AnyEvent) -> None:
        """Keep an event, which is on disk in `folder` already, with the lab."""

    def now(self, folder: "RunFolder") -> "RunFolder":
        """The folder of a run with all that the lab knows of it by now: one that runs elsewhere grows there."""

    def control(self, folder: "RunFolder") -> Control:
        """Where words for the run come in. Asked for by the one who changes the lab, and before it names the run: none is lost then."""

    def ask(self, command: Command) -> None:
        """Leave a word for the rollout that is under way, wherever it runs.

        Raises:
            UsageError: none is.
        """

    def promotion(self) -> "RunFolder | None":
        """The last run on it if that was promoted, wherever it ran; None if this machine's runs tell of it as well."""

    def serving(self) -> Serving | None:
        """What users get; None if no lab is there.

        Raises:
            CouldNotRun: it is there and serves nobody.
        """

    def claim(self, say: "Callable[[str], None]") -> None:
        """Before a rollout: see that the routes are the lab's own, or make them so where that was asked for; `say` is told of it.

        Raises:
            RouteRefused: somebody else wrote them last; the sentence names them.
        """

    def offer(self, version: str) -> None:
        """Have a version where its replicas will fetch it, and what serves as well; before a rollout, as no way back must depend on it.

        Raises:
            StoreRefused: another model has that name there.
        """

    def start(self, version: str, *, replicas: int, port: int, run: str) -> None:
        """Start one for the run in the folder `run`.

        Raises:
            CouldNotRun: it did not come up, or this platform's is not started by the way.
        """

    def stop(self) -> None:
        """End it."""

    def cases(self, folder: "RunFolder") -> Path:
        """The file of the cases that the users of a run send: the same ones wherever it is gone on with."""

    def connect(self, timeout: float, note: "Callable[[str], None]") -> Connected:
        """Its platform, whose verbs have `timeout` seconds; `note` takes what a reader of the record must know."""

    def routes(self, traffic: Traffic) -> Found:
        """What its proxy would be told."""

    def describe(self) -> Found:
        """What runs, told without touching anything."""


def lab_on(chosen: "Chosen", places: "Settings", clock: "SystemClock", *, reclaim: bool = False, patience: float = PATIENCE) -> Lab:
    """The lab on the chosen platform; with `reclaim`, routes that somebody else changes are taken back.

    `patience` is for how many seconds a cluster that does not answer is asked again.
    """
    if chosen.kubernetes is None:
        from cli.local_lab import LocalLab

        return LocalLab(places, clock)
    from cli.cluster_lab import ClusterLab

    return ClusterLab(chosen.name, chosen.kubernetes, places, clock, reclaim=reclaim, patience=patience)
