"""Whoever waits for a batch sees how far it has come: a bar on a terminal, and lines in a log only where they are due."""

import io
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

from app.predictions.progress import Progress


def test_a_terminal_shows_a_bar_that_is_full_at_the_end(store: Path, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    try:
        options = ("--store", str(store), "--version", "v1", "--database", f"sqlite:///{tmp_path}/predictions.db", "--chunk", "20")
        done = subprocess.run(
            [sys.executable, "-m", "app.batch", str(store / "holdout.csv"), *options],
            stdout=subprocess.PIPE,
            stderr=theirs,
            timeout=60,
            check=True,
        )
        shown = os.read(ours, 1 << 16).decode()
    finally:
        os.close(ours)
        os.close(theirs)

    bars = re.findall(r"\r\[(#*)(-*)\] +(\d+)% (\d+) rows, \d+ per second", shown)
    assert len(bars) == 9
    # `holdout.csv` is read at once, so the share of it jumps; the rows grow
    assert [int(rows) for *_, rows in bars] == [20, 40, 60, 80, 100, 120, 140, 160, 171]
    assert bars[-1] == ("#" * 30, "", "100", "171")
    assert b"171 rows" in done.stdout


def test_a_log_is_not_filled_with_bars() -> None:
    log = io.StringIO()
    progress = Progress(log)
    for share in range(100):
        progress.show(share / 100, share, 1.0)
    progress.end()

    assert log.getvalue() == ""
