"""Somebody who asks the gateway again and again while something else happens."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from tests.e2e.labctl import Labctl


@contextmanager
def asked_all_the_time(labctl: Labctl) -> Iterator[None]:
    """Ask while the body runs; every answer must be good."""
    bad: list[int] = []
    done = threading.Event()
    version = f"http://127.0.0.1:{labctl.lab().gateway_port}/version"

    def ask() -> None:
        # one client for all: to make one takes more processor time than the answer, and others are busy here
        with httpx.Client(trust_env=False) as client:
            while not done.wait(0.05):
                if (status := client.get(version).status_code) != 200:
                    bad.append(status)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield
    finally:
        done.set()
        asking.join()
    assert bad == []
