"""The state file: every process of the lab, by pid and start time, so that nothing runs that it does not name.

A pid alone is not enough: after a crash the system may have given it to somebody else. Written by replace and fsync,
so a kill in the middle leaves the old file or the new one. One writer at a time: whoever holds the lab's lock.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from strategies.errors import StoreRefused
from strategies.traffic import Slot


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """A process of the lab: `started` is its start time (seconds) as the system tells it."""

    name: str
    pid: int
    started: float
    log: str


class Replica(msgspec.Struct, frozen=True, kw_only=True):
    """One server of the model API on a loopback port. It is an endpoint of its slot once it was `ready`."""

    slot: Slot
    version: str
    port: int
    process: Process
    ready: bool = False

    @property
    def instance(self) -> str:
        """The replica as Prometheus names it."""
        return f"127.0.0.1:{self.port}"


class Lab(msgspec.Struct, frozen=True, kw_only=True):
    """All that runs.

    Attributes:
        store: the model store that the replicas load from.
        run: the folder of the run that changes the lab; empty when none does. Left behind by a run that died.
        tools: the proxy and Prometheus.
        users: the load generator of a run, which ends with the labctl that started it.
        grafana: only in a lab that stays, where Grafana's program is at hand; it answers at `grafana_port`.
    """

    gateway_port: int
    admin_port: int
    prometheus_port: int
    store: str
    run: str = ""
    tools: tuple[Process, ...] = ()
    replicas: tuple[Replica, ...] = ()
    users: Process | None = None
    grafana: Process | None = None
    grafana_port: int = 0

    def in_slot(self, slot: Slot) -> tuple[Replica, ...]:
        """The replicas in `slot`."""
        return tuple(replica for replica in self.replicas if replica.slot is slot)

    def processes(self) -> Sequence[Process]:
        """Everything, the users first, the proxy and Prometheus last."""
        users = (self.users,) if self.users else ()
        grafana = (self.grafana,) if self.grafana else ()
        return (*users, *(replica.process for replica in self.replicas), *grafana, *self.tools)


class StateFile:
    """`lab.json` in the lab's folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "lab.json"

    def read(self) -> Lab | None:
        """The lab as last written; None if there is none.

        Raises:
            StoreRefused: the file is there and cannot be read.
        """
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Lab)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError) as error:
            raise StoreRefused(
                f"the lab's state file {self._path} cannot be read ({error}); end its processes by hand and remove it"
            ) from error

    def write(self, lab: Lab) -> None:
        """Replace the file; returns when it is on disk."""
        write_atomically(self._path, msgspec.json.format(msgspec.json.encode(lab)))

    def remove(self) -> None:
        """Forget the lab."""
        self._path.unlink(missing_ok=True)


def write_atomically(path: Path, content: bytes) -> None:
    """Replace `path` by rename, so that a reader (Envoy, Prometheus, another labctl) never sees half a file.

    Raises:
        StoreRefused: the disk is full or the folder not writable.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise StoreRefused(f"{path} cannot be written ({error.strerror}); free space or choose another folder") from error
