"""Ending with whoever started this process: one that was killed (`kill -9`) cannot end what it started."""

import os
import signal
import threading
import time

SECONDS_BETWEEN_LOOKS = 0.5


def end_with(parent: int) -> None:
    """Send this process a SIGTERM as soon as the process `parent` is not its parent any more; 0 for never."""
    if parent:
        threading.Thread(target=_watch, args=(parent,), name="parent", daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(SECONDS_BETWEEN_LOOKS)
    os.kill(os.getpid(), signal.SIGTERM)
