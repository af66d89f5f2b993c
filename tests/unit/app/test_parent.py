"""A server ends with whoever started it, also if that was killed."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

DEADLINE = 60.0
STARTER = """
import os, subprocess, sys
server = subprocess.Popen([sys.executable, "-m", "app.server"], env={**os.environ, "MODEL_API_PARENT": str(os.getpid())})
print(server.pid, flush=True)
server.wait()
"""


def test_a_server_ends_with_a_parent_that_was_killed(store: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    variables = {"MODEL_API_STORE": str(store), "MODEL_API_VERSION": "v1", "MODEL_API_PORT": "0", "MODEL_API_DRAIN_SECONDS": "0"}
    with log.open("wb") as stderr:
        starter = subprocess.Popen(
            [sys.executable, "-c", STARTER], env={**os.environ, **variables}, stdout=subprocess.PIPE, stderr=stderr, text=True
        )
    assert starter.stdout
    server = psutil.Process(int(starter.stdout.readline()))
    try:
        deadline = time.monotonic() + DEADLINE
        while not re.search("listens on", log.read_text()):
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)

        starter.send_signal(signal.SIGKILL)
        starter.wait(DEADLINE)

        while server.is_running() and server.status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < deadline, "the server goes on"
            time.sleep(0.02)
    finally:
        starter.kill()
        starter.wait(DEADLINE)
        starter.stdout.close()
        if server.is_running():
            server.kill()
