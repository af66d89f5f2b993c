"""Waiting for what must come true, with a deadline that only a broken thing exceeds."""

import time
from collections.abc import Callable


def wait_for(condition: Callable[[], object], what: str = "it", seconds: float = 120.0) -> None:
    """Return as soon as `condition()` is true; fail after `seconds`, saying `what` did not come true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"after {seconds:g} s still not true: {what}"
        time.sleep(0.01)
