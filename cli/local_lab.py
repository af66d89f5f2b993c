"""The lab of this machine, as `cli.labs.Lab` asks for it: a file lock, a state file, processes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cli.clock import SystemClock
from cli.file_control import FileControl, leave
from cli.labs import Found, Holder, Serving
from cli.lock import exclusive, held, read_holder
from cli.session import require_version
from cli.settings import Settings
from impact.rundir import RunFolder
from platforms.local import envoy_config, processes
from platforms.local import lab as local
from platforms.local.envoy_admin import EnvoyAdmin
from platforms.local.platform import LocalPlatform
from platforms.local.state import Lab, StateFile
from strategies.errors import CouldNotRun, ToolFailed, UsageError
from strategies.events import AnyEvent
from strategies.plan import Release
from strategies.steering import NOBODY, Command
from strategies.traffic import Slot, Traffic

START_TIMEOUT = 60.0


class LocalLab:
    """Implements `cli.labs.Lab`."""

    name = "local"

    def __init__(self, places: Settings, clock: SystemClock) -> None:
        self._places = places
        self._clock = clock

    def require_addresses(self) -> None:
        """See `cli.labs.Lab`. The lab itself has written down where it answers."""

    @contextmanager
    def exclusive(self, doing: str, *, take_over: bool = False) -> Iterator[None]:  # noqa: ARG002  nobody on another machine can hold a file's lock
        """See `cli.labs.Lab`."""
        with exclusive(self._places.home, doing):
            yield

    def holder(self) -> Holder | None:
        """See `cli.labs.Lab`."""
        found = read_holder(self._places.home) if held(self._places.home) else None
        return Holder(doing=found.doing, pid=found.pid) if found else None

    def run(self) -> RunFolder | None:
        """See `cli.labs.Lab`."""
        lab = self._lab()
        return RunFolder.open(Path(lab.run)) if lab and lab.run else None

    def note_run(self, folder: RunFolder | None) -> None:
        """See `cli.labs.Lab`."""
        local.note_run(self._places.home, str(folder.path) if folder else "")

    def record(self, folder: RunFolder, event: AnyEvent) -> None:
        """See `cli.labs.Lab`. The folder is on the lab's own machine, which is enough."""

    def now(self, folder: RunFolder) -> RunFolder:
        """See `cli.labs.Lab`. It is written in this very folder."""
        return folder

    def control(self, folder: RunFolder) -> FileControl:
        """See `cli.labs.Lab`."""
        return FileControl(folder.control)

    def ask(self, command: Command) -> None:
        """See `cli.labs.Lab`."""
        folder = self.run() if self.holder() else None
        if folder is None:
            raise UsageError(NOBODY)
        leave(folder.control, command)

    def claim(self, say: Callable[[str], None]) -> None:
        """See `cli.labs.Lab`. Nobody else writes the routes of a lab on this machine."""

    def promotion(self) -> RunFolder | None:
        """See `cli.labs.Lab`. All runs on it are this machine's."""
        return None

    def serving(self) -> Serving | None:
        """See `cli.labs.Lab`."""
        lab = self._lab()
        if lab is None:
            return None
        traffic = EnvoyAdmin(lab.admin_port).traffic()
        stable = traffic.stable if traffic else Slot.BLUE
        replicas = lab.in_slot(stable)
        if not replicas:
            raise CouldNotRun("the lab that is here serves nobody; `labctl down`, then `labctl up`")
        return Serving(stable=stable, version=replicas[0].version, replicas=len(replicas))

    def offer(self, version: str) -> None:
        """See `cli.labs.Lab`. Replicas on this machine read the store itself."""

    def start(self, version: str, *, replicas: int, port: int, run: str) -> None:
        """See `cli.labs.Lab`."""
        start_lab(self._places, version=version, replicas=replicas, port=port, clock=self._clock, say=self._clock.say, run=run)

    def stop(self) -> None:
        """See `cli.labs.Lab`."""
        local.stop(self._places.home, clock=self._clock)

    def cases(self, folder: RunFolder) -> Path:  # noqa: ARG002  every run here is begun with this machine's store
        """See `cli.labs.Lab`."""
        return self._places.store / "holdout.csv"

    def connect(self, timeout: float, note: Callable[[str], None]) -> LocalPlatform:  # noqa: ARG002  nobody else can write the routes
        """See `cli.labs.Lab`."""
        return LocalPlatform(self._places.home, clock=self._clock, timeout=timeout, database=self._places.database)

    def routes(self, traffic: Traffic) -> Found:
        """See `cli.labs.Lab`."""
        return envoy_config.routes(traffic)

    def describe(self) -> Found:
        """See `cli.labs.Lab`."""
        lab, holder = self._lab(), self.holder()
        if lab is None:
            return {"lab": None, "holder": holder.doing if holder else None}
        return {
            "lab": {
                "gateway": f"http://127.0.0.1:{lab.gateway_port}",
                "prometheus": f"http://127.0.0.1:{lab.prometheus_port}",
                "grafana": f"http://127.0.0.1:{lab.grafana_port}" if lab.grafana else None,
                "processes": [{"name": p.name, "pid": p.pid, "alive": processes.alive(p)} for p in lab.processes()],
            },
            "slots": _slots(lab),
            "holder": holder.doing if holder else None,
            "run": lab.run or None,
            "left_behind": bool(lab.run) and holder is None,
        }

    def _lab(self) -> Lab | None:
        return StateFile(self._places.home).read()


def start_lab(
    places: Settings, *, version: str, replicas: int, port: int, clock: SystemClock, say: Callable[[str], None], run: str = ""
) -> Lab:
    """Start a lab and deploy its first version; nobody is there yet to be hurt, so no strategy is needed.

    Raises:
        UsageError: the store lacks the version.
        CouldNotRun: it did not come up; nothing of it is left running.
    """
    require_version(places.store, version, "--from")
    local.start(places.home, store=places.store, port=port, clock=clock, timeout=START_TIMEOUT, say=say, run=run)
    try:
        platform = LocalPlatform(places.home, clock=clock, timeout=START_TIMEOUT, database=places.database)
        platform.deploy(Slot.BLUE, Release(version=version, replicas=replicas))
        platform.route(Traffic(stable=Slot.BLUE))
    except BaseException:
        # an interruption too: a lab that nobody asked to keep must not stay
        local.stop(places.home, clock=clock)
        raise
    return platform.lab


def _slots(lab: Lab) -> dict[str, Any]:
    admin = EnvoyAdmin(lab.admin_port)
    try:
        traffic, healthy = admin.traffic(), {host.port for host in admin.hosts() if host.healthy}
    except ToolFailed:
        traffic, healthy = None, set()
    return {
        slot.value: {
            "role": str(traffic.role(slot)) if traffic else None,
            "version": next((replica.version for replica in lab.in_slot(slot)), None),
            "percent": traffic.percent(slot) if traffic else None,
            "replicas": len(lab.in_slot(slot)),
            "ready": sum(replica.port in healthy and processes.alive(replica.process) for replica in lab.in_slot(slot)),
        }
        for slot in Slot
    }
