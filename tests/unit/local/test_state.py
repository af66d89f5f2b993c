"""The state file is whole at any time, and what cannot be read is refused rather than forgotten."""

import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from platforms.local.state import Lab, Process, Replica, StateFile, write_atomically
from strategies.errors import StoreRefused
from strategies.traffic import Slot


def process(name: str, pid: int = 4711) -> Process:
    return Process(name=name, pid=pid, started=1795372251.37, log=f"/logs/{name}.log")


BLUE = Replica(slot=Slot.BLUE, version="v1", port=2001, process=process("blue-v1"), ready=True)
GREEN = Replica(slot=Slot.GREEN, version="v2", port=2002, process=process("green-v2"))
LAB = Lab(
    gateway_port=1001,
    admin_port=1002,
    prometheus_port=1003,
    store="/models",
    run="/runs/1",
    tools=(process("envoy"), process("prometheus")),
    replicas=(GREEN, BLUE),
    users=process("users"),
)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    StateFile(tmp_path).write(LAB)

    assert StateFile(tmp_path).read() == LAB


def test_no_file_is_no_lab(tmp_path: Path) -> None:
    file = StateFile(tmp_path)
    assert file.read() is None

    file.write(LAB)
    file.remove()
    file.remove()

    assert file.read() is None


@pytest.mark.parametrize(
    "content",
    [b"", b'{"gateway_port": 10', b"[]", b"{}", b'{"gateway_port":"1","admin_port":2,"prometheus_port":3,"store":""}', b"\xff\xfe"],
    ids=["empty", "half", "a list", "nothing in it", "a wrong type", "not text"],
)
def test_a_file_that_is_no_lab_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    """It may name running processes, so taking it for no lab would forget them."""
    path = tmp_path / "lab.json"
    path.write_bytes(content)

    with pytest.raises(StoreRefused, match=r"lab\.json cannot be read .*; end its processes by hand and remove it"):
        StateFile(tmp_path).read()

    assert path.read_bytes() == content


def test_a_file_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lab.json").mkdir()

    with pytest.raises(StoreRefused, match="cannot be read"):
        StateFile(tmp_path).read()


@contextmanager
def files_no_longer_than(size: int) -> Iterator[None]:
    """The system refuses to write more into any file, as it does on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "routes.json"
    write_atomically(path, b"the old one")

    with files_no_longer_than(100), pytest.raises(StoreRefused, match=r"routes\.json cannot be written \(.+\); free space"):
        write_atomically(path, b"n" * 200)

    assert path.read_bytes() == b"the old one"

    write_atomically(path, b"n" * 200)

    assert path.read_bytes() == b"n" * 200


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreRefused, match="cannot be written"):
        StateFile(tmp_path / "gone").write(LAB)


def test_a_reader_sees_the_old_file_or_the_new_one_and_never_half(tmp_path: Path) -> None:
    path = tmp_path / "watched"
    contents = {b"old" * 50_000, b"new" * 60_000}
    write_atomically(path, b"old" * 50_000)
    done = threading.Event()

    def write() -> None:
        try:
            for _ in range(50):
                for content in contents:
                    write_atomically(path, content)
        finally:
            done.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = set()
    while not done.is_set():
        seen.add(path.read_bytes())
    writer.join()

    assert seen == contents
    assert list(tmp_path.iterdir()) == [path]


def test_replicas_are_found_by_slot_and_stand_between_the_users_and_the_proxy() -> None:
    assert LAB.in_slot(Slot.BLUE) == (BLUE,)
    assert LAB.in_slot(Slot.GREEN) == (GREEN,)
    assert [one.name for one in LAB.processes()] == ["users", "green-v2", "blue-v1", "envoy", "prometheus"]
    assert BLUE.instance == "127.0.0.1:2001"
