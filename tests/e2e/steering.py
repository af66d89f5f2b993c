"""Each word that steers a rollout, said once: the seconds until labctl answered, and until it had its effect."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from strategies.events import AnyEvent, Noted, Settled, StepStarted
from tests.e2e.labctl import Labctl

EFFECT_SECONDS = 2.0
"""Until a word has its effect, and until its labctl has answered."""
# it stays in its analysis until somebody steers it, so that nothing depends on how fast the machine is
ROLLOUT = ("rollout", "canary", "--rate", "20", "--weight", "50", "--baseline", "1s", "--hold", "10m", "--keep", "10m", "--detect", "1")
PATIENCE = 60.0


class Took(NamedTuple):
    """Seconds from the start of a word's labctl to its first line, and to what it is for."""

    answer: float
    effect: float


def steered(labctl: Labctl) -> dict[str, Took]:
    """Say every word to rollouts in the lab that `labctl` has; what each took. Afterwards the version from before is stable again."""
    found: dict[str, Took] = {}
    before = labctl.answer().headers["x-served-by"]
    rollout = (*ROLLOUT, "--to", "v2" if before == "v1" else "v1")

    with labctl.started(*rollout) as kept:
        labctl.wait_for_step("analyse", PATIENCE)
        found["status"] = say(labctl, "status")
        found["pause"] = say(labctl, "pause", effect=noted("pause"))
        found["resume"] = say(labctl, "resume", effect=noted("resume"))
        assert labctl.run("undo").returncode == 2, "nothing is promoted yet"
        # ten minutes of analysis are not waited for: what comes next begins
        found["promote"] = say(labctl, "promote", effect=begun("deploy"))
        labctl.wait_for_step("hold", PATIENCE)
        found["undo"] = say(labctl, "undo", effect=everybody_back)
        kept.communicate(timeout=PATIENCE)
        assert kept.returncode == 130

    with labctl.started(*rollout) as whole:
        labctl.wait_for_step("analyse", PATIENCE)
        found["promote --full"] = say(labctl, "promote", "--full", effect=begun("deploy"))
        whole.communicate(timeout=PATIENCE)
        assert whole.returncode == 0

    # nothing is kept any more: that the version from before stands again takes as long as its replicas take to start
    found["undo, later"] = say(labctl, "undo", effect=begun("deploy"), told_on_stderr=True)
    assert labctl.answer().headers["x-served-by"] == before

    with labctl.started(*rollout) as second:
        labctl.wait_for_step("analyse", PATIENCE)
        with labctl.started(*rollout, "--supersede") as third:
            found["--supersede"] = Took(*seconds_until(labctl.runs, third.stderr.readline, everybody_back))  # type: ignore[union-attr]  # a pipe
            labctl.wait_for_step("analyse", PATIENCE)
            found["abort"] = say(labctl, "abort", effect=everybody_back, told_on_stderr=True)
            third.communicate(timeout=PATIENCE)
        second.communicate(timeout=PATIENCE)
        assert (second.returncode, third.returncode) == (130, 130)
    return found


def say(labctl: Labctl, *words: str, effect: Callable[[AnyEvent], bool] | None = None, told_on_stderr: bool = False) -> Took:
    """Run a command to its end; one that does the work itself tells on stderr what it does, the others answer on stdout."""
    with labctl.started(*words) as process:
        stream = process.stderr if told_on_stderr else process.stdout
        assert stream is not None
        took = seconds_until(labctl.runs, stream.readline, effect)
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, out + err
    return Took(*took)


def seconds_until(runs: Path, read_line: Callable[[], str], effect: Callable[[AnyEvent], bool] | None) -> tuple[float, float]:
    """Seconds from now to the first line, and to the first event of a run in `runs` that is an `effect`; without one, to the line again."""
    since, began = datetime.now(UTC), time.monotonic()
    assert read_line().strip()
    answer = time.monotonic() - began
    if effect is None:
        return answer, answer
    deadline = began + PATIENCE
    while not (at := [event.at for event in events_since(runs, since) if effect(event)]):
        assert time.monotonic() < deadline, "it had no effect"
        time.sleep(0.02)
    return answer, (min(at) - since).total_seconds()


def events_since(runs: Path, since: datetime) -> list[AnyEvent]:
    """What all runs in that folder wrote down since then."""
    lines = [line for path in runs.glob("*/events.jsonl") for line in path.read_bytes().split(b"\n")[:-1]]
    return [event for event in (msgspec.json.decode(line, type=AnyEvent) for line in lines) if event.at >= since]


def noted(word: str) -> Callable[[AnyEvent], bool]:
    """The rollout has taken a word in."""
    return lambda event: isinstance(event, Noted) and event.text == f"a person asked to {word}"


def begun(step: str) -> Callable[[AnyEvent], bool]:
    """A step whose title begins so has begun."""
    return lambda event: isinstance(event, StepStarted) and event.title.startswith(step) and not event.way_back


def everybody_back(event: AnyEvent) -> bool:
    """The answers since the change of routes are all stable's."""
    return isinstance(event, Settled) and event.weight == 0
