"""Programs that the lab calls: their failures in words, and none left running."""

import os
import sys
import threading
from pathlib import Path

import pytest

from cli.clock import SystemClock
from platforms.kubernetes import doctor
from platforms.kubernetes.doctor import Tool
from platforms.kubernetes.tools import Tools
from strategies.errors import CouldNotRun, Interrupted, ToolFailed


def tools() -> Tools:
    return Tools(SystemClock(), lambda _: None)


def python(text: str) -> tuple[str, str, str]:
    return (sys.executable, "-c", text)


def test_a_command_gets_its_input_and_environment_and_its_output_is_the_answer() -> None:
    text = "import os, sys; print(sys.stdin.read().upper() + os.environ['LAB_X'])"

    assert tools().run(*python(text), timeout=60, given="a", environment={"LAB_X": "b"}).strip() == "Ab"


def test_a_failure_is_told_with_the_commands_last_words() -> None:
    with pytest.raises(ToolFailed, match="no such thing") as caught:
        tools().run(*python("import sys; print('noise'); sys.exit('no such thing')"), timeout=60)

    assert caught.value.command[0] == sys.executable


def test_a_complaint_on_stdout_is_told_as_well() -> None:
    with pytest.raises(ToolFailed, match="not here"):
        tools().run(*python("print('not here'); raise SystemExit(1)"), timeout=60)


def test_a_missing_program_is_told_with_the_way_to_get_it() -> None:
    with pytest.raises(ToolFailed, match="labctl doctor"):
        tools().run("there-is-no-such-program", timeout=60)


def test_output_of_any_length_does_not_block() -> None:
    text = "import sys; [print('x' * 10**5, file=f) for f in (sys.stdout, sys.stderr) for _ in range(20)]"

    assert len(tools().run(*python(text), timeout=60)) > 10**6


@pytest.mark.usefixtures("nothing_left_running")
def test_a_command_that_does_not_end_is_ended() -> None:
    with pytest.raises(ToolFailed, match="did not end within"):
        tools().run(*python("import time; time.sleep(600)"), timeout=0.2)


@pytest.mark.usefixtures("nothing_left_running")
def test_an_interruption_ends_the_command_as_well() -> None:
    clock = SystemClock()
    with clock.listening():
        asking = threading.Timer(0.3, lambda: os.kill(os.getpid(), 15))
        asking.start()
        try:
            with pytest.raises(Interrupted):
                Tools(clock, lambda _: None).run(*python("import time; time.sleep(600)"), timeout=60)
        finally:
            asking.join()


@pytest.mark.parametrize(
    ("answer", "version"),
    [
        ("kind v0.33.0 go1.26.8 linux/amd64", (0, 33)),
        ("Client Version: v1.37.2\nKustomize Version: v5.7.1", (1, 37)),
        ("v4.3.1+g1234", (4, 3)),
        ("client version: 1.31-custom", (1, 31)),
        ("28.5.2+dfsg4", (28, 5)),
        ("no number", None),
    ],
)
def test_the_version_is_found_in_a_tools_own_words(answer: str, version: tuple[int, int] | None) -> None:
    assert doctor.version_of(answer) == version


@pytest.mark.parametrize(
    ("script", "ok", "told"),
    [
        ("echo v2.5.1", True, ""),
        ("echo v2.3", False, "2.4 or newer is needed: get it there"),
        ("echo cannot connect >&2; exit 1", False, "start it"),
    ],
)
def test_a_tool_that_will_not_do_comes_with_advice(
    script: str, ok: bool, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "tool"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    found = doctor.check(Tool(name="tool", ask=("version",), oldest=(2, 4), get="get it there", silent="start it"))

    assert (found.ok, found.advice) == (ok, told)


def test_a_tool_that_is_missing_comes_with_the_way_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(CouldNotRun, match="docker, kind, kubectl, helm, istioctl"):
        doctor.require_tools(kind=True)
    with pytest.raises(CouldNotRun, match="not on PATH: kubectl, helm;"):
        doctor.require_tools(kind=False)
    for check in doctor.checks(kind=True):
        assert not check.ok
        assert check.found == "not on PATH"
        assert "install" in check.advice
