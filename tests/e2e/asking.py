"""Somebody who asks the gateway again and again while something else happens."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.e2e.labctl import Labctl


@contextmanager
def asked_all_the_time(labctl: Labctl) -> Iterator[None]:
    """Ask while the body runs; every answer must be good."""
    bad: list[int] = []
    done = threading.Event()

    def ask() -> None:
        while not done.wait(0.02):
            if (status := labctl.answer().status_code) != 200:
                bad.append(status)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield
    finally:
        done.set()
        asking.join()
    assert bad == []
