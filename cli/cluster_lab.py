"""The lab on a cluster, as `cli.labs.Lab` asks for it: a Lease, a record in the cluster, Helm releases and Istio's routes."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cli.clock import SystemClock
from cli.connected_cluster import ConnectedCluster
from cli.labs import PATIENCE, Found, Holder, Serving
from cli.recorded_cases import RecordedCases
from cli.recorded_runs import RecordedRuns
from cli.settings import Settings
from impact.rundir import RunFolder
from platforms import cards
from platforms.kubernetes import kind, model_store, routes, words
from platforms.kubernetes.cases import CasesRecord
from platforms.kubernetes.client import Cluster
from platforms.kubernetes.gateway import Gateway
from platforms.kubernetes.held import Held
from platforms.kubernetes.helm import Helm, Outdated
from platforms.kubernetes.lease import Lease
from platforms.kubernetes.ownership import OwnedRoutes
from platforms.kubernetes.record import Record
from platforms.kubernetes.settings import KubernetesSettings
from platforms.kubernetes.tools import Tools
from platforms.kubernetes.words import LeasedWords
from strategies.errors import CouldNotRun, LabError, UsageError
from strategies.events import AnyEvent, Looked
from strategies.plan import Release
from strategies.steering import NOBODY, Command, Control, Nobody
from strategies.traffic import Slot, Traffic

FIRST_TIMEOUT = 180.0
"""Seconds that the first version has to be ready: its image may have to be pulled."""


class ClusterLab:
    """Implements `cli.labs.Lab` for the platforms kind and kubernetes."""

    def __init__(
        self,
        name: str,
        chosen: KubernetesSettings,
        places: Settings,
        clock: SystemClock,
        *,
        reclaim: bool = False,
        patience: float = PATIENCE,
    ) -> None:
        self.name = name
        self._places = places
        self._clock = clock
        self._reclaim = reclaim
        self._note: Callable[[str], None] = lambda _: None
        self._target = kind.as_published(Tools(clock, clock.say), chosen)
        self._cluster = Cluster(self._target.context, clock=clock, patience=patience, note=self._tell)
        self._lease = Lease(self._cluster, self._target.namespace, clock=clock)
        self._record = Record(self._cluster, self._target.namespace)
        self._runs = RecordedRuns(self._record, places.runs)
        self._cases = RecordedCases(CasesRecord(self._cluster, self._target.namespace))
        self._gateway = Gateway(self._cluster, self._target.namespace, clock=clock, patience=PATIENCE, note=self._tell)
        self._held: Held | None = None

    def require_addresses(self) -> None:
        """See `cli.labs.Lab`."""
        self._target.require_addresses()

    @contextmanager
    def exclusive(self, doing: str, *, take_over: bool = False) -> Iterator[None]:
        """See `cli.labs.Lab`."""
        self.require_addresses()
        self._require_lab()
        try:
            with self._lease.held(doing, take_over=take_over) as self._held:
                yield
        finally:
            self._held = None
            self._gateway.close()

    def holder(self) -> Holder | None:
        """See `cli.labs.Lab`."""
        found = self._lease.holder()
        return Holder(doing=found.doing if found.here else str(found), pid=found.pid if found.here else None) if found else None

    def run(self) -> RunFolder | None:
        """See `cli.labs.Lab`."""
        return self._runs.current()

    def now(self, folder: RunFolder) -> RunFolder:
        """See `cli.labs.Lab`."""
        return self._runs.now(folder)

    def promotion(self) -> RunFolder | None:
        """See `cli.labs.Lab`."""
        return self._runs.promotion()

    def note_run(self, folder: RunFolder | None) -> None:
        """See `cli.labs.Lab`."""
        self._runs.note(folder, self._held.generation if self._held else 0)

    def record(self, folder: RunFolder, event: AnyEvent) -> None:
        """See `cli.labs.Lab`."""
        if not isinstance(event, Looked):
            if self._held:
                self._held.check()
            self.note_run(folder)

    def control(self, folder: RunFolder) -> Control:  # noqa: ARG002  the lease is the lab's, whatever run is carried out under it
        """See `cli.labs.Lab`."""
        return LeasedWords(self._cluster, self._target.namespace, self._held) if self._held else Nobody()

    def ask(self, command: Command) -> None:
        """See `cli.labs.Lab`."""
        # a person who hears nothing asks again
        cluster = self._cluster.impatient()
        if Record(cluster, self._target.namespace).read() is None:
            raise UsageError(NOBODY)
        words.leave(cluster, self._target.namespace, command, clock=self._clock)

    def serving(self) -> Serving | None:
        """See `cli.labs.Lab`."""
        state = self._platform(PATIENCE, lambda _: None).observe()
        stable = state.traffic.stable if state.traffic else Slot.BLUE
        slot = state.slots[stable]
        if not slot.version:
            raise CouldNotRun(f"the lab in {self._where()} serves nobody; `labctl up --platform {self.name}` deploys a first version")
        return Serving(stable=stable, version=slot.version, replicas=slot.replicas)

    def claim(self, say: Callable[[str], None]) -> None:
        """See `cli.labs.Lab`."""
        self._platform(PATIENCE, say).claim()

    def begin(self, version: str, *, replicas: int, values: Mapping[str, Any], say: Callable[[str], None]) -> bool:
        """Deploy a first version if nobody is served yet, and route everybody to it; False if there is nothing to do.

        `values` are what the releases of the slots have beside the version: image and store.
        """
        state = self._platform(PATIENCE, lambda _: None).observe()
        if state.traffic and state.slots[state.traffic.stable].version:
            return False
        first = state.traffic.stable if state.traffic else Slot.BLUE
        say(f"deploying {version} to {first}, {replicas} replicas")
        with self.exclusive("labctl up"):
            platform = self._platform(FIRST_TIMEOUT, lambda _: None, values)
            if state.slots[first].version and not state.slots[first].ready:
                # a first deployment that failed: its pods would be taken for those of this one
                platform.retire(first)
            platform.deploy(first, Release(version=version, replicas=replicas))
            platform.route(Traffic(stable=first))
        return True

    def outdated(self, values: Mapping[str, Any]) -> Outdated | None:
        """What the replicas that serve are made of, if it is another image than that of `values`, and how to have them exchanged.

        No rollout does that by the way: it would compare two versions of the model on two programs.

        Raises:
            CouldNotRun: nobody is served.
        """
        serving = self.serving()
        return self._helm(values).outdated(serving.stable) if serving else None

    def offer(self, version: str) -> None:
        """See `cli.labs.Lab`."""
        model_store.fill(Tools(self._clock, self._clock.say), self._cluster, self._target, self._places.store, version)

    def start(self, version: str, *, replicas: int, port: int, run: str) -> None:  # noqa: ARG002  a cluster is not made by the way
        """See `cli.labs.Lab`.

        Raises:
            CouldNotRun: always; making a cluster is asked for by its own command.
        """
        raise CouldNotRun(f"there is no lab in {self._where()}; `labctl up --platform {self.name}` makes one")

    def stop(self) -> None:
        """See `cli.labs.Lab`. No rollout starts a cluster, so none ends one."""
        self.note_run(None)

    def cases(self, folder: RunFolder) -> Path:
        """See `cli.labs.Lab`. Whoever starts the run's first users keeps them with the cluster, whoever starts more finds them there."""
        return self._cases.of(folder, self._places.store / "holdout.csv", self._tell)

    def connect(self, timeout: float, note: Callable[[str], None]) -> ConnectedCluster:
        """See `cli.labs.Lab`."""
        self._note = note
        return self._platform(timeout, note)

    def routes(self, traffic: Traffic) -> Found:
        """See `cli.labs.Lab`."""
        return routes.virtual_service(traffic, namespace=self._target.namespace)

    def describe(self) -> Found:
        """See `cli.labs.Lab`."""
        self._require_lab()
        holder, recorded = self.holder(), self._record.read()
        found: Found = {
            "lab": {"gateway": self._target.gateway or None, "prometheus": self._target.prometheus or None, "processes": []},
            "slots": {},
            "holder": holder.doing if holder else None,
            "run": recorded.run.id if recorded else None,
            "left_behind": recorded is not None and holder is None,
        }
        try:
            state = self._platform(PATIENCE, lambda _: None).observe()
        except LabError as error:
            return {**found, "problem": str(error)}
        finally:
            self._gateway.close()
        traffic = state.traffic
        for slot, inside in state.slots.items():
            found["slots"][slot.value] = {
                "role": str(traffic.role(slot)) if traffic else None,
                "version": inside.version or None,
                "percent": traffic.percent(slot) if traffic else None,
                "replicas": inside.replicas,
                "ready": inside.ready,
            }
        return found

    def _platform(self, timeout: float, note: Callable[[str], None], values: Mapping[str, Any] | None = None) -> ConnectedCluster:
        namespace, held = self._target.namespace, self._held
        return ConnectedCluster(
            self._target,
            self._cluster,
            namespace=namespace,
            helm=self._helm(values or {}),
            gateway=self._gateway,
            owned=OwnedRoutes(self._cluster, namespace, held=held, note=note, reclaim=self._reclaim),
            held=held,
            clock=self._clock,
            timeout=timeout,
            note=note,
        )

    def _helm(self, values: Mapping[str, Any]) -> Helm:
        return Helm(self._target.context, self._target.namespace, digest=self._digest, extra=values, held=self._held)

    def _tell(self, text: str) -> None:
        """A sentence for the record of the run that is under way, if one is."""
        self._note(text)

    def _digest(self, version: str) -> str:
        """The sha256 that a version's model must have: as the run under way knows it, which may have begun on another machine."""
        recorded = self._record.read()
        known = recorded.run.digests.get(version) if recorded else None
        return known or cards.digest(self._places.store, version)

    def _require_lab(self) -> None:
        """Refuse a cluster without a lab, before anything is written into it."""
        if self._cluster.get(f"/api/v1/namespaces/{self._target.namespace}") is None:
            self.start("", replicas=0, port=0, run="")

    def _where(self) -> str:
        return f"namespace {self._target.namespace} of {self._target.context or 'the current context'}"
