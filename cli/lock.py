"""One rollout at a time: a file lock that the system frees when its holder dies, and a note that names the holder.

Whoever has the lock is the only one that writes routes, endpoints and the state file, so a run that was taken over
cannot write over its successor: its process has ended by then.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

from strategies.errors import LockHeld, StoreRefused


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """Who changes the lab."""

    pid: int
    doing: str


@contextmanager
def exclusive(home: Path, doing: str) -> Iterator[None]:
    """Hold the lab's lock.

    Raises:
        LockHeld: somebody else does; the sentence names them.
        StoreRefused: the lab's folder cannot be written.
    """
    lock = FileLock(home / "lock")
    note = home / "lock.json"
    try:
        home.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout as error:
        holder = read_holder(home)
        who = f"{holder.doing} (pid {holder.pid})" if holder else "another labctl"
        raise LockHeld(f"{who} changes this lab now; wait until it ends, or end it with `labctl abort`") from error
    except OSError as error:
        raise StoreRefused(f"{home} cannot be written ({error.strerror}); choose another folder with LAB_HOME") from error
    try:
        note.write_bytes(msgspec.json.encode(Holder(pid=os.getpid(), doing=doing)))
        yield
    finally:
        note.unlink(missing_ok=True)
        lock.release()


def held(home: Path) -> bool:
    """Whether somebody holds the lock now."""
    if not (home / "lock").exists():
        return False
    lock = FileLock(home / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False


def read_holder(home: Path) -> Holder | None:
    """Who wrote the note last; meaningful only while the lock is held."""
    try:
        return msgspec.json.decode((home / "lock.json").read_bytes(), type=Holder)
    except (OSError, msgspec.MsgspecError):
        return None
