"""Ends a program that we started."""

import subprocess


def end(process: "subprocess.Popen[bytes] | subprocess.Popen[str]", grace: float) -> None:
    """Ask it to end, and kill it after `grace` seconds. Nothing, if it has ended by itself."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(grace)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
