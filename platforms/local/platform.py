"""The five verbs on this machine: replicas are processes, endpoints and routes are files that Envoy watches.

A replica becomes an endpoint only after it said that it is ready, and stops being one before it is told to end.
The proxy is asked what is true (its routes' version, its endpoints' health, what is in flight); the state file only
says which processes are ours.
"""

import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import httpx
import msgspec

from platforms.local import envoy_config, processes, prometheus_config
from platforms.local.envoy_admin import NO_KEEP_ALIVE, EnvoyAdmin, Host
from platforms.local.state import Lab, Process, Replica, StateFile, write_atomically
from platforms.ports import free_ports
from strategies.errors import CouldNotRun, NotReady, RouteRefused, ToolFailed
from strategies.plan import Release, Replace, Replacement
from strategies.platform import SlotState, State
from strategies.traffic import Slot, Traffic
from strategies.waiting import Clock, wait_until

PREDICTION_LOG = "prediction-log.db"
DRAIN_SECONDS = 0.5
"""How long a replica goes on accepting after SIGTERM. Its endpoint is gone by then, so this covers stragglers only."""


class LocalPlatform:
    """Two slots of uvicorn processes behind one Envoy.

    `folder` holds the state file, the watched files and the logs. Replicas show the predictions in `database`, a URL, if that is given.
    """

    def __init__(self, folder: Path, *, clock: Clock, timeout: float, database: str = "") -> None:
        self._folder = folder
        self._clock = clock
        self._timeout = timeout
        self._database = database
        self._file = StateFile(folder)
        lab = self._file.read()
        if lab is None:
            raise CouldNotRun("no lab runs here; start one with `labctl up`")
        self._lab = lab
        self._admin = EnvoyAdmin(lab.admin_port)
        # the machine's proxy settings are not for loopback
        self._client = httpx.Client(timeout=1.0, trust_env=False, limits=NO_KEEP_ALIVE)

    @property
    def lab(self) -> Lab:
        """What the state file says."""
        return self._lab

    @property
    def gateway(self) -> str:
        """Where users send their requests."""
        return f"http://127.0.0.1:{self._lab.gateway_port}"

    @property
    def prediction_log(self) -> str:
        """The URL of the database in which replicas write down what they predicted."""
        return f"sqlite:///{self._folder.absolute() / PREDICTION_LOG}"

    @property
    def prometheus(self) -> str:
        """Where Prometheus answers."""
        return f"http://127.0.0.1:{self._lab.prometheus_port}"

    def require_own_routes(self) -> None:
        """Nothing to ask: nobody else writes the routes of a lab on this machine."""

    def note_users(self, pid: int | None, log: Path = Path()) -> None:
        """Write down the users' process, which is somebody else's child but runs on our account; None once it has ended."""
        users = None if pid is None else processes.named("users", pid, log)
        if users != self._lab.users:
            self._lab = msgspec.structs.replace(self._lab, users=users)
            self._file.write(self._lab)

    def deploy(self, slot: Slot, release: Release) -> None:
        """See `strategies.platform.Platform`. Another version in the slot is retired first: weight 0, then exchange, then weight.

        Raises:
            NotReady: a replica ended at start or was not ready in time, with its last words.
        """
        if any(replica.version != release.version for replica in self._lab.in_slot(slot)):
            self.retire(slot)
        replicas = [replica for replica in self._lab.in_slot(slot) if self._counts(replica, release)]
        self._remove([replica for replica in self._lab.in_slot(slot) if replica not in replicas[: release.replicas]])
        self._start(slot, release.version, release.replicas - len(replicas))

    def replace(self, step: Replace, meanwhile: Callable[[], None] = lambda: None) -> None:
        """See `strategies.platform.Platform`. As a Deployment does it: surge, wait until ready, then take as many old ones away."""
        slot, release = step.slot, step.release
        # a replica that died or never got ready would be waited for at the proxy until the deadline
        self._remove([replica for replica in self._lab.in_slot(slot) if not (replica.ready and processes.alive(replica.process))])
        old = [replica for replica in self._lab.in_slot(slot) if not self._counts(replica, release)]
        new = len(self._lab.in_slot(slot)) - len(old)
        if step.how is Replacement.RECREATE:
            self._remove(old)
            self._start(slot, release.version, release.replicas - new, meanwhile)
            return
        while old or new < release.replicas:
            # those that may be missing go first; a surge of 0 would else allow no step
            spare = new + len(old) - (release.replicas - step.max_unavailable)
            gone, old = old[: max(0, spare)], old[max(0, spare) :]
            self._remove(gone)
            more = min(release.replicas - new, release.replicas + step.max_surge - new - len(old))
            self._start(slot, release.version, more, meanwhile)
            new += max(0, more)
            meanwhile()

    def route(self, traffic: Traffic) -> None:
        """See `strategies.platform.Platform`."""
        before = self._admin.rejections()
        rendered = envoy_config.routes(traffic)
        self._write(self._folder / "routes.json", rendered)

        def taken() -> bool:
            if self._admin.rejections() > before:
                raise RouteRefused(f"the proxy refused the routes: {processes.last_words(self._tool('envoy'))}")
            return self._admin.routes_version() == str(rendered["version_info"])

        wait_until(taken, timeout=self._timeout, clock=self._clock, every=0.01, reason=lambda: "the proxy has not taken the new routes")

    def retire(self, slot: Slot) -> None:
        """See `strategies.platform.Platform`.

        Raises:
            CouldNotRun: the slot still gets traffic.
        """
        traffic = self._admin.traffic()
        if traffic and traffic.percent(slot) and self._lab.in_slot(slot):
            raise CouldNotRun(f"{slot} gets {traffic.percent(slot)} % of the traffic and cannot be retired; route it away first")
        self._remove(self._lab.in_slot(slot))

    def observe(self) -> State:
        """See `strategies.platform.Platform`."""
        hosts = self._admin.hosts()
        slots = {slot: self._slot(slot, [host for host in hosts if host.slot is slot]) for slot in Slot}
        return State(traffic=self._admin.traffic(), slots=slots)

    def instances(self) -> dict[str, Slot]:
        """The replicas that users may be sent to, as Prometheus names them: its scrapes of these must be up."""
        ready = {host.port for host in self._admin.hosts() if host.healthy}
        return {replica.instance: replica.slot for replica in self._lab.replicas if replica.port in ready}

    # --- replicas ------------------------------------------------------------------------------------------------

    def _slot(self, slot: Slot, hosts: Sequence[Host]) -> SlotState:
        replicas = self._lab.in_slot(slot)
        alive = {replica.port for replica in replicas if processes.alive(replica.process)}
        return SlotState(
            version=replicas[0].version if replicas else "",
            replicas=len(replicas),
            ready=sum(host.healthy and host.port in alive for host in hosts),
            in_flight=sum(host.in_flight for host in hosts),
        )

    def _counts(self, replica: Replica, release: Release) -> bool:
        """Whether a replica is one of the release: not a dead one, nor one whose start or end was cut off by a crash of labctl."""
        return replica.version == release.version and replica.ready and processes.alive(replica.process)

    def _start(self, slot: Slot, version: str, count: int, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Have `count` more replicas (none if it is not positive); then all that are ready are known to the proxy."""
        started = [self._spawn(slot, version, port) for port in free_ports(max(0, count))]
        for replica in started:
            self._wait_until_ready(replica, meanwhile)
        new = {replica.port for replica in started}
        self._save(msgspec.structs.replace(replica, ready=True) if replica.port in new else replica for replica in self._lab.replicas)
        self._publish(slot)
        # only those that it finds healthy would be sent requests; also those of a start that was cut off before this
        ready = {replica.port for replica in self._lab.in_slot(slot) if replica.ready}
        wait_until(
            lambda: ready <= {host.port for host in self._admin.hosts() if host.healthy},
            timeout=self._timeout,
            clock=self._clock,
            reason=lambda: f"the proxy does not find all {len(ready)} replicas of {version} in {slot} ready",
        )

    def _spawn(self, slot: Slot, version: str, port: int) -> Replica:
        name = f"{slot}-{version}-{port}"
        # the pid is known only once the gate stands, so the replica is written down by the callback
        replica: Replica

        def record(process: Process) -> None:
            nonlocal replica
            replica = Replica(slot=slot, version=version, port=port, process=process)
            self._save((*self._lab.replicas, replica))

        processes.start(
            name,
            (sys.executable, "-m", "app.server"),
            log=self._folder / "logs" / f"{name}.log",
            record=record,
            environment={
                "MODEL_API_STORE": self._lab.store,
                "MODEL_API_VERSION": version,
                "MODEL_API_SLOT": slot.value,
                "MODEL_API_PORT": str(port),
                "MODEL_API_DRAIN_SECONDS": str(DRAIN_SECONDS),
                "MODEL_API_PREDICTION_LOG": self.prediction_log,
                # it may have a password, so it is not in the state file
                "MODEL_API_DATABASE": self._database,
            },
        )
        return replica

    def _wait_until_ready(self, replica: Replica, meanwhile: Callable[[], None]) -> None:
        who = f"{replica.version} in {replica.slot}"

        def ready() -> bool:
            meanwhile()
            if not processes.alive(replica.process):
                raise NotReady(f"{who} ended at start: {processes.last_words(replica.process) or 'it said nothing'}")
            try:
                return self._client.get(f"http://{replica.instance}/readyz").status_code == 200
            except httpx.TransportError:
                return False

        def reason() -> str:
            return f"{who} is not ready; its last words: {processes.last_words(replica.process) or 'none'}"

        wait_until(ready, timeout=self._timeout, clock=self._clock, reason=reason)

    def _remove(self, replicas: Sequence[Replica]) -> None:
        """Take replicas out of the endpoints, let them answer what they have, then stop them."""
        if not replicas:
            return
        ports = {replica.port for replica in replicas}
        slot = replicas[0].slot
        self._save(msgspec.structs.replace(replica, ready=False) if replica.port in ports else replica for replica in self._lab.replicas)
        self._publish(slot)
        wait_until(
            lambda: not any(host.port in ports for host in self._admin.hosts() if host.slot is slot),
            timeout=self._timeout,
            clock=self._clock,
            reason=lambda: f"the proxy still has endpoints of {slot} that were removed",
        )
        processes.stop([replica.process for replica in replicas], clock=self._clock, grace=processes.STOP_GRACE)
        self._save(replica for replica in self._lab.replicas if replica.port not in ports)

    # --- files ---------------------------------------------------------------------------------------------------

    def _publish(self, slot: Slot) -> None:
        """Tell Envoy where the ready replicas are."""
        ports = [replica.port for replica in self._lab.in_slot(slot) if replica.ready]
        self._write(envoy_config.endpoints_file(self._folder, slot), envoy_config.endpoints(slot, ports))

    def _write(self, path: Path, content: object) -> None:
        write_atomically(path, msgspec.json.encode(content))

    def _save(self, replicas: Iterable[Replica]) -> None:
        self._lab = msgspec.structs.replace(self._lab, replicas=tuple(replicas))
        self._file.write(self._lab)
        # Prometheus takes seconds to notice, so replicas are listed from their start on and not when they are ready
        targets = [prometheus_config.Target(replica.instance, replica.slot, replica.version) for replica in self._lab.replicas]
        write_atomically(self._folder / "targets.json", prometheus_config.targets_file(targets).encode())

    def _tool(self, name: str) -> Process:
        found = next((tool for tool in self._lab.tools if tool.name == name), None)
        if found is None:
            raise ToolFailed(f"the lab has no {name}; `labctl down`, then `labctl up`")
        return found
