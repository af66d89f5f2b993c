"""A lab is all there or not there at all, and nothing runs that its state file does not name."""

import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from cli.clock import SystemClock
from platforms.local import lab as local
from platforms.local import processes
from platforms.local.envoy_admin import EnvoyAdmin
from platforms.local.platform import LocalPlatform
from platforms.local.state import Lab, StateFile
from strategies.errors import CouldNotRun, Interrupted, StoreRefused
from strategies.traffic import Slot, Traffic
from tests.waiting import wait_for

pytestmark = pytest.mark.usefixtures("nothing_left_running")

Start = Callable[..., Lab]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "lab"


@pytest.fixture
def start(folder: Path, tmp_path: Path) -> Iterator[Start]:
    """Starts a lab in `folder`; what runs of it after the test is ended."""

    def start_lab(port: int = 0, clock: SystemClock | None = None, run: str = "") -> Lab:
        return local.start(folder, store=tmp_path / "store", port=port, clock=clock or SystemClock(), timeout=20.0, say=print, run=run)

    yield start_lab
    local.stop(folder, clock=SystemClock())


EARLIER: set[int] = set()
"""The pids of what other tests' fixtures keep running, such as a database."""


@pytest.fixture(autouse=True)
def what_ran_before() -> None:
    """Look at it before anything of this test runs."""
    EARLIER.clear()
    EARLIER.update(running())


def running() -> set[int]:
    """The pids of what this test has started and what still runs."""
    found = psutil.Process().children(recursive=True)
    return {child.pid for child in found if child.is_running() and child.status() != psutil.STATUS_ZOMBIE} - EARLIER


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_what_runs_is_what_the_state_file_names(start: Start, folder: Path) -> None:
    lab = start(run="/runs/7")

    assert StateFile(folder).read() == lab
    assert [tool.name for tool in lab.tools] == ["envoy", "prometheus"]
    assert all(map(processes.alive, lab.processes()))
    assert running() == {process.pid for process in lab.processes()}
    assert lab.run == "/runs/7"
    assert EnvoyAdmin(lab.admin_port).ready()
    assert httpx.get(f"http://127.0.0.1:{lab.prometheus_port}/-/ready", trust_env=False).status_code == 200


def test_stop_leaves_nothing(start: Start, folder: Path) -> None:
    lab = start()

    assert local.stop(folder, clock=SystemClock()) == ()

    assert running() == set()
    assert StateFile(folder).read() is None
    assert not any(map(listening, (lab.gateway_port, lab.admin_port, lab.prometheus_port)))
    # there is nothing to end any more
    assert local.stop(folder, clock=SystemClock()) == ()


def test_stop_ends_what_is_left_of_a_lab_that_died_in_part(start: Start, folder: Path) -> None:
    envoy, prometheus = start().tools
    os.kill(envoy.pid, signal.SIGKILL)

    local.stop(folder, clock=SystemClock())

    assert not processes.alive(prometheus)
    assert running() == set()


def test_a_lab_can_be_started_again_where_one_was(start: Start, folder: Path) -> None:
    """On the same port, and without a word of what the one before it served."""
    first = start()
    LocalPlatform(folder, clock=SystemClock(), timeout=5.0).route(Traffic(stable=Slot.BLUE, weight=100))
    local.stop(folder, clock=SystemClock())

    second = start(port=first.gateway_port)

    assert second.gateway_port == first.gateway_port
    assert EnvoyAdmin(second.admin_port).traffic() is None
    assert LocalPlatform(folder, clock=SystemClock(), timeout=5.0).observe().traffic is None


def test_a_second_start_is_refused_and_the_first_lab_stays(start: Start, folder: Path) -> None:
    lab = start()

    with pytest.raises(CouldNotRun, match="a lab runs here already; `labctl status` shows it, `labctl down` ends it"):
        start()

    assert StateFile(folder).read() == lab
    assert running() == {process.pid for process in lab.processes()}
    assert EnvoyAdmin(lab.admin_port).ready()


def test_an_interruption_during_start_leaves_nothing_running(start: Start, folder: Path) -> None:
    """A real SIGINT, heard when the lab first waits for its programs to come up."""
    clock = SystemClock()

    with clock.listening():
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(Interrupted, match="Ctrl-C"):
            start(clock=clock)

    assert {log.name for log in (folder / "logs").iterdir()} == {"envoy.log", "prometheus.log"}
    assert running() == set()
    assert StateFile(folder).read() is None


def test_a_port_in_use_is_refused_and_leaves_nothing(start: Start, folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        with pytest.raises(CouldNotRun, match=f"port {port} cannot be used"):
            start(port=port)

    assert running() == set()
    assert not folder.exists()


def test_a_program_that_ends_at_start_is_told_in_its_own_words_and_leaves_nothing(start: Start, folder: Path) -> None:
    data = folder / "prometheus"
    data.mkdir(parents=True)
    (data / "wal").write_text("not the folder that it needs")

    with pytest.raises(CouldNotRun, match=r"^prometheus ended at start: .*wal"):
        start()

    assert running() == set()
    assert StateFile(folder).read() is None


def test_a_folder_that_cannot_be_written_is_refused(start: Start, folder: Path) -> None:
    folder.write_text("a file is in the way")

    with pytest.raises(StoreRefused, match="cannot be"):
        start()

    assert running() == set()
    folder.unlink()


def test_a_state_file_that_cannot_be_read_is_no_reason_to_start_another(start: Start, folder: Path) -> None:
    folder.mkdir()
    (folder / "lab.json").write_text("{")

    with pytest.raises(StoreRefused, match="cannot be read"):
        start()

    assert running() == set()
    (folder / "lab.json").unlink()


def test_a_lab_is_complete_once_it_has_routes_and_while_all_of_it_lives(start: Start, folder: Path) -> None:
    lab = start()
    assert not local.complete(lab)

    LocalPlatform(folder, clock=SystemClock(), timeout=5.0).route(Traffic(stable=Slot.BLUE))
    assert local.complete(lab)

    os.kill(lab.tools[-1].pid, signal.SIGKILL)
    wait_for(lambda: not processes.alive(lab.tools[-1]))
    assert not local.complete(lab)


def test_the_run_that_changes_a_lab_is_noted(start: Start, folder: Path) -> None:
    local.note_run(folder, "/runs/1")
    assert StateFile(folder).read() is None

    lab = start()
    local.note_run(folder, "/runs/1")
    noted = StateFile(folder).read()
    local.note_run(folder, "")

    assert noted is not None
    assert noted.run == "/runs/1"
    assert StateFile(folder).read() == lab


def test_a_runs_users_are_noted_and_ended_with_the_lab(start: Start, folder: Path) -> None:
    lab = start()
    users = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        platform = LocalPlatform(folder, clock=SystemClock(), timeout=5.0)
        platform.note_users(users.pid, folder / "users.log")
        noted = StateFile(folder).read()
        assert noted is not None
        assert [process.pid for process in noted.processes()] == [users.pid, *(tool.pid for tool in lab.tools)]

        platform.note_users(None)
        assert StateFile(folder).read() == lab

        platform.note_users(users.pid, folder / "users.log")
        assert local.stop(folder, clock=SystemClock()) == ()
        assert running() == set()
    finally:
        users.kill()
        users.wait()


def test_no_platform_without_a_lab(folder: Path) -> None:
    with pytest.raises(CouldNotRun, match="no lab runs here; start one with `labctl up`"):
        LocalPlatform(folder, clock=SystemClock(), timeout=5.0)
