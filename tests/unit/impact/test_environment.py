"""A summary says where it was measured, and the command in it repeats the run on a machine of today and of tomorrow."""

import msgspec
import psutil
import pytest

from impact import wording
from impact.environment import environment
from tests.unit.impact.recorded_run import a_run

CANARY = ("labctl", "rollout", "canary")


@pytest.mark.parametrize(
    ("typed", "owns_lab", "left_out"),
    [
        (CANARY, True, ("--seed", "7", "--from", "v1")),
        (CANARY, False, ("--seed", "7")),
        ((*CANARY, "--seed=7", "--from", "v1"), True, ()),
        ((*CANARY, "--seed", "7"), True, ("--from", "v1")),
        (("labctl", "load", "--rate", "5"), True, ("--seed", "7")),
        (("labctl", "undo"), False, ()),
    ],
)
def test_what_was_not_typed_stands_behind_what_was(typed: tuple[str, ...], owns_lab: bool, left_out: tuple[str, ...]) -> None:
    """A lab that ran already said which version was first, and refuses to be told."""
    run = a_run(command=typed)
    run = msgspec.structs.replace(run, owns_lab=owns_lab, load=msgspec.structs.replace(run.load, seed=7))

    assert environment(run).command == (*typed, *left_out)


def test_the_machine_is_told_with_its_memory() -> None:
    here = environment(a_run())

    assert here.memory_bytes == psutil.virtual_memory().total
    assert f"{here.cpu_count} processors" in wording.machine(here)
    assert f"{here.memory_bytes / 1e9:.1f} GB of memory" in wording.machine(here)
    assert wording.machine(msgspec.structs.replace(here, cpu="", memory_bytes=None)) == f"{here.platform} with {here.cpu_count} processors"
