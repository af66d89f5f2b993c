"""Nothing runs that was not written down first, and only the very process that was written down is ever stopped."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from cli.clock import SystemClock
from platforms.local import processes
from platforms.local.state import Process
from strategies.errors import StoreRefused, ToolFailed
from tests.waiting import wait_for

pytestmark = pytest.mark.usefixtures("nothing_left_running")

Start = Callable[..., Process]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Starts a shell script; its log is a file of its own."""

    def start_script(script: str, name: str = "script", record: Callable[[Process], None] = lambda _: None, **environment: str) -> Process:
        return processes.start(name, ("sh", "-c", script), log=tmp_path / f"{name}.log", record=record, environment=environment)

    return start_script


def stop(*all_of_them: Process, grace: float = 5.0) -> tuple[str, ...]:
    return processes.stop(all_of_them, clock=SystemClock(), grace=grace)


# --- the gate ----------------------------------------------------------------------------------------------------


def test_the_program_begins_only_after_it_was_recorded(start: Start, tmp_path: Path) -> None:
    began = tmp_path / "began"
    seen = []

    def record(process: Process) -> None:
        # time enough for a program without a gate
        time.sleep(0.2)
        seen.append((process, began.exists()))

    process = start(f"touch {began}; exec sleep 60", record=record)
    wait_for(began.exists)

    assert seen == [(process, False)]
    assert processes.alive(process)
    assert processes.named(process.name, process.pid, Path(process.log)) == process
    stop(process)


@pytest.mark.parametrize("error", [StoreRefused("the disk is full"), KeyboardInterrupt()], ids=["refused", "interrupted"])
def test_a_program_that_cannot_be_recorded_never_begins(start: Start, tmp_path: Path, error: BaseException) -> None:
    offered = []

    def refuse(process: Process) -> None:
        offered.append(process)
        raise error

    with pytest.raises(type(error)):
        start(f"touch {tmp_path / 'began'}; exec sleep 60", record=refuse)

    wait_for(lambda: not processes.alive(offered[0]))
    assert not (tmp_path / "began").exists()


PARENT = """
import sys, time
from pathlib import Path
from platforms.local import processes

def tell(process):
    print(process.pid, process.started, flush=True)
    if sys.argv[2] == "before":
        time.sleep(60)

processes.start("child", ("sh", "-c", "echo began; exec sleep 60"), log=Path(sys.argv[1]), record=tell)
time.sleep(60)
"""


@contextmanager
def killed_parent(log: Path, when: str) -> Iterator[Process]:
    """What a parent started that was killed before or after it had recorded its child."""
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(log), when], stdout=subprocess.PIPE, text=True)
    try:
        assert parent.stdout is not None
        pid, started = parent.stdout.readline().split()
        child = Process(name="child", pid=int(pid), started=float(started), log=str(log))
        if when == "after":
            wait_for(lambda: processes.last_words(child) == "began")
        assert processes.alive(child)
    finally:
        parent.kill()
        parent.communicate()
    try:
        yield child
    finally:
        # nobody's child any more
        stop(child)


def test_a_parent_killed_before_recording_leaves_nothing_running(tmp_path: Path) -> None:
    with killed_parent(tmp_path / "log", "before") as child:
        wait_for(lambda: not processes.alive(child))

        assert processes.last_words(child) == ""


def test_a_parent_killed_after_recording_leaves_its_child_running(tmp_path: Path) -> None:
    with killed_parent(tmp_path / "log", "after") as child:
        assert processes.alive(child)
        assert stop(child) == ()
        assert not processes.alive(child)


# --- start -------------------------------------------------------------------------------------------------------


def test_a_terminals_signals_are_not_for_it(start: Start) -> None:
    process = start("exec sleep 60")

    assert os.getsid(process.pid) == process.pid != os.getsid(0)
    stop(process)


def test_it_gets_the_environment_and_all_it_says_is_logged(start: Start) -> None:
    process = start('echo "to $WHOM"; echo "and $HOME" >&2', WHOM="stdout")
    wait_for(lambda: not processes.alive(process))

    assert processes.last_words(process, lines=5) == f"to stdout\nand {os.environ['HOME']}"


def test_its_log_is_added_to(start: Start, tmp_path: Path) -> None:
    log = tmp_path / "script.log"
    log.write_text("what an earlier one said\n")

    process = start("echo and more")
    wait_for(lambda: not processes.alive(process))

    assert log.read_text() == "what an earlier one said\nand more\n"


def test_a_program_that_cannot_be_started_is_an_error_with_its_command(tmp_path: Path) -> None:
    with pytest.raises(ToolFailed, match=r"^proxy could not be started .*command: envoy -c x") as caught:
        processes.start("proxy", ("envoy", "-c", "x"), log=tmp_path / "no such folder" / "log", record=lambda _: None)

    assert caught.value.command == ("envoy", "-c", "x")


def test_a_program_that_is_not_there_says_so_in_its_last_words(tmp_path: Path) -> None:
    process = processes.start("proxy", ("no-such-program",), log=tmp_path / "log", record=lambda _: None)
    wait_for(lambda: not processes.alive(process))

    assert "no-such-program" in processes.last_words(process)


# --- alive -------------------------------------------------------------------------------------------------------


def test_another_process_with_its_pid_is_not_it_and_is_not_stopped(start: Start) -> None:
    process = start("exec sleep 60")
    earlier = Process(name="earlier", pid=process.pid, started=process.started - 5.0, log=process.log)

    assert not processes.alive(earlier)
    assert stop(earlier, grace=0.1) == ()
    assert processes.alive(process)
    stop(process)


def test_a_pid_that_nobody_has_is_not_alive(start: Start) -> None:
    process = start("exit 0")
    wait_for(lambda: not processes.alive(process))

    assert not psutil.pid_exists(process.pid)
    assert not processes.alive(process)


def test_a_zombie_of_somebody_elses_is_not_alive() -> None:
    """Of its own dead children a labctl keeps none; those of a labctl that hangs are zombies as long as it does."""
    script = "import subprocess, time; child = subprocess.Popen(['sleep', '0']); print(child.pid, flush=True); time.sleep(60)"
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    try:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        zombie = Process(name="zombie", pid=child.pid, started=child.create_time(), log="")
        wait_for(lambda: child.status() == psutil.STATUS_ZOMBIE)

        assert not processes.alive(zombie)
    finally:
        parent.kill()
        parent.communicate()


# --- stop --------------------------------------------------------------------------------------------------------


def test_stop_kills_what_ignores_sigterm_after_its_grace_and_names_it(start: Start) -> None:
    polite = start("exec sleep 60", "polite")
    deaf = start("trap '' TERM; echo deaf; while :; do sleep 0.1; done", "deaf")
    wait_for(lambda: processes.last_words(deaf) == "deaf")
    before = time.monotonic()

    assert stop(polite, deaf, grace=0.4) == ("deaf",)

    assert 0.4 <= time.monotonic() - before < 20.0
    assert not processes.alive(polite)
    assert not processes.alive(deaf)


def test_stop_waits_for_what_has_something_to_finish(start: Start) -> None:
    """The grace is a limit and not a delay."""
    process = start("trap 'sleep 0.3; echo finished; exit' TERM; echo up; while :; do sleep 0.02; done")
    wait_for(lambda: processes.last_words(process) == "up")
    before = time.monotonic()

    assert stop(process, grace=60.0) == ()

    assert processes.last_words(process) == "finished"
    assert time.monotonic() - before < 30.0


def test_stop_of_what_has_ended_does_nothing(start: Start) -> None:
    process = start("exec sleep 60")
    os.kill(process.pid, signal.SIGKILL)

    assert stop(process) == ()
    assert stop(process) == ()
    assert stop() == ()


# --- last words --------------------------------------------------------------------------------------------------


def test_last_words_are_the_last_lines_that_say_anything(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = Process(name="x", pid=1, started=0.0, log=str(log))
    assert processes.last_words(process) == ""

    log.write_bytes(b"first\nsecond \xff\n\nthird  \n  \n")

    assert processes.last_words(process) == "third"
    assert processes.last_words(process, lines=2) == "second \N{REPLACEMENT CHARACTER}\nthird"
