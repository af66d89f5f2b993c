"""How the users' process begins and, above all, how it ends."""

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import psutil
import pytest

from loadtest.users import UsersProcess
from strategies.errors import StoreRefused
from strategies.run import LoadOptions
from tests.unit.loadtest.load import number, rows, seconds, users, write_cases
from tests.unit.loadtest.server import Request, Server, reply, serve
from tests.waiting import wait_for

ENDED_SECONDS = 1.0
"""What a machine that does little else needs; a test gives five times that."""


def test_stop_lets_what_is_in_flight_end_and_leaves_neither_process_nor_half_a_line(tmp_path: Path) -> None:
    """Also if something else (a container's end, say) has told the users to go a moment before."""

    async def slow(_: Request) -> bytes:
        await asyncio.sleep(0.5)
        return reply()

    with serve(Server(slow)) as server, users(server.url, LoadOptions(rate=40), tmp_path) as (process, log):
        wait_for(lambda: len(server.requests) > 30)
        os.kill(process.pid, signal.SIGTERM)
        already = len(rows(log))
        wait_for(lambda: len(rows(log)) > already)
        assert process.running()
        process.stop()
        received = len(server.requests)

        assert not process.running()
        assert not psutil.pid_exists(process.pid)
        assert process.problem() == ""
        assert Counter(row.failure for row in rows(log)) == {"": received}
        assert (tmp_path / "console.txt").read_text() == ""
        process.stop()


def test_stop_waits_for_a_hanging_server_no_longer_than_a_request_may_take(tmp_path: Path) -> None:
    async def never(_: Request) -> bytes:
        await asyncio.sleep(60)
        return b""

    with serve(Server(never)) as server, users(server.url, LoadOptions(rate=20, timeout=0.7), tmp_path) as (process, log):
        wait_for(lambda: len(server.requests) > 5)
        process.stop()

        assert {row.failure for row in rows(log)} == {"timeout"}
        assert len(rows(log)) == len(server.requests)


def test_users_that_do_not_obey_are_killed(tmp_path: Path) -> None:
    with serve(Server()) as server, users(server.url, LoadOptions(), tmp_path) as (process, log):
        wait_for(lambda: len(rows(log)) > 1)
        os.kill(process.pid, signal.SIGSTOP)
        process.stop(timeout=0.2)

        assert not process.running()
        assert not psutil.pid_exists(process.pid)


def test_the_log_can_be_followed_while_it_grows(tmp_path: Path) -> None:
    with serve(Server()) as server, users(server.url, LoadOptions(rate=50), tmp_path) as (process, log):
        for expected in (1, 10, 30):
            wait_for(lambda expected=expected: len(rows(log)) >= expected)  # type: ignore[misc]  # mypy takes it for another type
            newest = max(seconds(row.sent) + float(row.latency) for row in rows(log))
            assert log.stat().st_mtime - newest < 2.5
        assert process.running()


PARENT = """
import sys, time
from pathlib import Path
from loadtest.users import UsersProcess
from strategies.run import LoadOptions
folder = Path(sys.argv[2])
users = UsersProcess.start(sys.argv[1], LoadOptions(rate=50), folder / "holdout.csv", folder / "requests.csv", folder / "console.txt")
print(users.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("requests", [0, 10], ids=["while starting", "while sending"])
def test_users_end_within_a_second_when_their_parent_is_killed(tmp_path: Path, requests: int) -> None:
    write_cases(tmp_path / "holdout.csv", ("benign", "malignant"))

    async def slow(_: Request) -> bytes:
        await asyncio.sleep(5)
        return reply()

    with serve(Server(slow)) as server:
        parent = subprocess.Popen([sys.executable, "-c", PARENT, server.url, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        with parent:
            try:
                assert parent.stdout is not None
                child = psutil.Process(int(parent.stdout.readline()))
                wait_for(lambda: len(server.requests) >= requests)
            finally:
                parent.kill()
        wait_for(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, seconds=5 * ENDED_SECONDS)

        assert {number(row) for row in rows(tmp_path / "requests.csv")} >= set(range(len(server.requests)))


def test_users_have_a_session_of_their_own_so_that_ctrl_c_does_not_reach_them(tmp_path: Path) -> None:
    with serve(Server()) as server, users(server.url, LoadOptions(rate=1), tmp_path) as (process, _):
        assert os.getsid(process.pid) == process.pid != os.getsid(0)


def test_an_end_that_nobody_asked_for_is_a_problem_and_says_why(tmp_path: Path) -> None:
    with serve(Server()) as server, users(server.url, LoadOptions(rate=50), tmp_path) as (process, log):
        assert process.problem() == ""
        wait_for(lambda: len(rows(log)) > 1)
        os.kill(process.pid, signal.SIGKILL)
        wait_for(lambda: not process.running())

        assert "exit code -9" in process.problem()
        process.stop()
        assert "exit code -9" in process.problem()


@pytest.mark.skipif(not hasattr(psutil.Process, "rlimit"), reason="only Linux limits the files of another process")
def test_a_disk_that_is_full_ends_the_load_and_is_named(tmp_path: Path) -> None:
    with serve(Server()) as server, users(server.url, LoadOptions(rate=50), tmp_path) as (process, log):
        wait_for(lambda: len(rows(log)) > 1)
        size = log.stat().st_size + 50
        psutil.Process(process.pid).rlimit(psutil.RLIMIT_FSIZE, (size, size))
        wait_for(lambda: not process.running())

        assert "the users' log cannot be written" in process.problem()
        assert len(rows(log)) > 1


def test_what_cannot_work_is_refused_before_anything_is_started(tmp_path: Path) -> None:
    cases = write_cases(tmp_path / "holdout.csv", ("benign",))
    log, console = tmp_path / "requests.csv", tmp_path / "console.txt"

    with pytest.raises(ValueError, match="rate above 0"):
        UsersProcess.start("http://127.0.0.1:9", LoadOptions(rate=0), cases, log, console)
    with pytest.raises(StoreRefused, match="missing"):
        UsersProcess.start("http://127.0.0.1:9", LoadOptions(), tmp_path / "missing.csv", log, console)
    assert list(tmp_path.iterdir()) == [cases]
    with pytest.raises(StoreRefused, match="users' log or console cannot be written"):
        UsersProcess.start("http://127.0.0.1:9", LoadOptions(), cases, tmp_path / "nowhere" / "requests.csv", console)
