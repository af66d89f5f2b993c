"""The live picture says in numbers what it draws, and fits whatever terminal it is drawn on."""

import io
import os
import pty
import re
import select
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from rich.cells import cell_len
from rich.console import Console

from cli.live import Display, Talk
from cli.picture import Seen, interval, picture, share, sparkline, timeline, verdicts
from impact.difference import Difference
from impact.rundir import RunFolder
from impact.userlog import Request, UserLog
from strategies.events import Looked
from strategies.traffic import Slot
from tests.unit.impact.recorded_run import START, Recorder, a_run, at, carried_out, record
from tests.unit.impact.test_report import an_experiment


def shown(folder: RunFolder, recorder: Recorder) -> tuple[Display, list[Request]]:
    """A display that has seen all events, and the users' log."""
    display = Display(Talk.QUIET)
    with display.showing(folder, UserLog(folder.requests), None):  # type: ignore[arg-type]  # the clock is for a live display
        for event in recorder.events:
            display.show(event)
    log = UserLog(folder.requests)
    log.poll()
    return display, log.requests


def printed(recorder: Recorder, runs: Path, width: int) -> list[str]:
    display, requests = shown(record(runs, recorder), recorder)
    console = Console(file=io.StringIO(), width=width, no_color=True, force_terminal=False)
    with console.capture() as capture:
        console.print(picture(recorder.run, display.seen, requests, now=START.timestamp() + recorder.clock, width=width))
    return capture.get().splitlines()


def in_the_middle(version: str = "v2") -> Recorder:
    """A candidate that is being judged, and gets worse by the second."""
    recorder = carried_out(a_run(version), failing=0.3)
    last = max(number for number, event in enumerate(recorder.events) if isinstance(event, Looked))
    recorder.clock = (recorder.events[last].at - START).total_seconds()
    recorder.events = recorder.events[: last + 1]
    return recorder


@pytest.mark.parametrize("width", [40, 80, 100, 200])
def test_nothing_is_wider_than_the_terminal(tmp_path: Path, width: int) -> None:
    lines = printed(in_the_middle("a-version-with-a-rather-long-name-of-its-own"), tmp_path, width)

    assert max(map(cell_len, lines)) <= width


def test_a_running_analysis_is_told_in_80_columns(tmp_path: Path) -> None:
    lines = printed(in_the_middle(), tmp_path, 80)
    text = "\n".join(lines)

    assert "canary v1 → v2" in lines[0]
    assert "baseline 5 s · deploy v2 ×1 3 s · ▸ 10 % " in text
    assert "stable (blue)" in text
    assert "candidate (green)" in text
    assert "of intended 10 %" in text
    assert "FAIL" in text
    assert "needs 94" in text


def test_before_the_first_event_there_is_a_picture_too(tmp_path: Path) -> None:
    assert "▸ starting" in "\n".join(printed(Recorder(a_run(rate=0.0)), tmp_path, 80))


def test_promotion_moves_the_roles(tmp_path: Path) -> None:
    text = "\n".join(printed(carried_out(a_run()), tmp_path, 80))

    assert "old (blue)" in text
    assert "stable (green)" in text
    assert "of intended 0 %" in text


def test_the_share_has_a_bar_as_long_as_what_was_served_and_a_mark_at_what_was_intended() -> None:
    run, now = a_run(), START.timestamp() + 10
    requests = [request("green" if number < 3 else "blue", now - 1 + number / 20) for number in range(10)]

    assert share(run, Seen(weight=50, since=now - 5), requests, now).startswith(f"candidate   [{'█' * 9}{'·' * 6}|{'·' * 14}] served 30 %")
    assert "served – of intended 50 %" in share(run, Seen(weight=50, since=now), [], now)


def test_a_path_reaches_the_top_at_its_limit(tmp_path: Path) -> None:
    recorder = in_the_middle()
    display, _ = shown(record(tmp_path, recorder), recorder)
    (failed, wrong) = verdicts(display.seen)

    assert "█" in failed
    assert "█" not in wrong
    assert sparkline([-1, 0, 5, 10, 20][1:], 10) == "▁▅██"


def test_the_columns_of_all_metrics_stand_under_each_other_however_long_a_name_is(tmp_path: Path) -> None:
    recorder = in_the_middle()
    display, _ = shown(record(tmp_path, recorder), recorder)
    usual = max(map(cell_len, verdicts(display.seen)))
    judgement = display.seen.judgement
    assert judgement is not None
    renamed = [msgspec.structs.replace(metric, metric="disagreement") for metric in judgement.metrics[:1]]
    display.seen.judgement = msgspec.structs.replace(judgement, metrics=(*renamed, *judgement.metrics))
    lines = verdicts(display.seen)

    assert len({line.index(" of ") for line in lines}) == 1
    assert lines[0].startswith("  disagreement ")
    assert max(map(cell_len, lines)) <= usual + len("disagreement") - len("failed") - 4


def test_an_experiment_has_its_interval_around_zero(tmp_path: Path) -> None:
    recorder = an_experiment()
    looks = [number for number, event in enumerate(recorder.events) if isinstance(event, Looked)]
    recorder.events = recorder.events[: looks[3] + 1]

    assert interval(Difference(-30.0, -50.0, -10.0)) == "difference  [▒▒▒▒▒▒█▒▒▒▒▒▒··|··············] -30.0 points (-50.0 to -10.0)"
    assert interval(Difference(0.2, -0.4, 0.8)).count("|") == 1
    assert any("-30.0 points (-50.0 to -10.0)" in line for line in printed(recorder, tmp_path, 80))


def test_phases_have_their_seconds() -> None:
    seen = Seen(phases=[("baseline", at(1).timestamp()), ("10 %", at(6).timestamp())])

    assert timeline(seen, at(8).timestamp()) == "baseline 5 s · ▸ 10 % 2 s"


def test_quiet_says_nothing_and_verbose_says_each_look(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recorder = in_the_middle()
    said = {}
    for talk in Talk:
        display = Display(talk)
        for event in recorder.events:
            display.show(event)
        said[talk] = capsys.readouterr().err.count("10 %: ")

    assert said[Talk.QUIET] == 0
    assert said[Talk.VERBOSE] == sum(isinstance(event, Looked) for event in recorder.events)
    assert 0 < said[Talk.NORMAL] <= said[Talk.VERBOSE]


def request(slot: str, sent: float) -> Request:
    return Request(sent, sent, 0.01, 1, "id", Slot(slot), {"blue": "v1", "green": "v2"}[slot], 200, "", "benign", "benign")


PROGRAM = """
import sys, time
from pathlib import Path
from cli.clock import SystemClock
from cli.live import Display
from cli.logs import logging_to
from impact.rundir import RunFolder
from impact.userlog import UserLog

folder, clock, display = RunFolder.open(Path(sys.argv[1])), SystemClock(), Display()
with logging_to(folder.path / "labctl.log"), display.showing(folder, UserLog(folder.requests), clock):
    for event in folder.events():
        display.show(event)
        clock.sleep(0)
    clock.sleep(0.6)
    display.say("READY")
    clock.sleep(float(sys.argv[2]))
"""


@contextmanager
def in_a_terminal(folder: RunFolder, columns: int, seconds: float) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """The display of a recorded run on a terminal of that width; gives the terminal's other end."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (40, columns))
    environment = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES", "NO_COLOR"}} | {"TERM": "xterm"}
    command = [sys.executable, "-c", PROGRAM, str(folder.path), str(seconds)]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True)
    os.close(theirs)
    try:
        yield ours, process
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def read_until(ours: int, words: str) -> list[str]:
    """What the terminal was sent until these words came, as lines without the codes that move and colour."""
    sent, deadline = b"", time.monotonic() + 60
    while words.encode() not in sent:
        assert time.monotonic() < deadline, sent[-2000:].decode(errors="replace")
        if select.select([ours], [], [], 0.5)[0]:
            sent += os.read(ours, 65536)
    text = sent.decode(errors="ignore")
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "\n").split("\n")


@pytest.mark.parametrize("columns", [40, 80])
def test_on_a_terminal_no_line_is_longer_than_it_is_wide_and_resizing_is_heeded(tmp_path: Path, columns: int) -> None:
    folder = record(tmp_path, in_the_middle("a-version-with-a-name-of-its-own"))
    with in_a_terminal(folder, columns, 30) as (ours, _):
        lines = read_until(ours, "READY")
        termios.tcsetwinsize(ours, (40, 34))
        read_until(ours, f"╰{'─' * 32}╯")

    assert [line for line in lines if cell_len(line) > columns] == []
    assert any("▸ 10 %" in line for line in lines)
    # whatever is drawn is also said in numbers, however narrow it is
    drawn = " ".join(" ".join(line.strip("│ ") for line in lines).split())
    for number in ("of intended 10 %", "needs 94", "p95"):
        assert number in drawn
    assert "…" not in drawn


def test_what_was_said_is_in_the_runs_own_log_with_its_time_and_without_folds(tmp_path: Path) -> None:
    folder = record(tmp_path, in_the_middle())
    with in_a_terminal(folder, 40, 0) as (ours, process):
        read_until(ours, "READY")
        process.wait(30)
    lines = (folder.path / "labctl.log").read_text().splitlines()

    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO ", line) for line in lines)
    assert any("10 %: FAIL candidate failed" in line for line in lines)
