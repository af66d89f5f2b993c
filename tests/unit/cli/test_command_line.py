"""The command line: what it says of itself, what its values mean, and that it stays light."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from cli import main
from cli.clock import SystemClock
from cli.lock import exclusive, held
from cli.parameters import duration, part, weights
from strategies.errors import Interrupted, LabError, LockHeld

README = (Path(__file__).parents[3] / "README.md").read_text()
HEAVY = ("fastapi", "gevent", "httpx", "jinja2", "locust", "matplotlib", "numpy", "psutil", "scipy", "sklearn")


def commands() -> list[tuple[str, click.Command]]:
    group = typer.main.get_command(main.app)
    found: list[tuple[str, click.Command]] = []
    for name, command in group.commands.items():  # type: ignore[attr-defined] # a group has commands
        nested = getattr(command, "commands", None)
        found += [(f"{name} {inner}", command.commands[inner]) for inner in nested] if nested else [(name, command)]
    return found


@pytest.mark.parametrize(("name", "command"), commands(), ids=lambda value: value if isinstance(value, str) else "")
def test_every_command_and_option_explains_itself_and_the_readme_names_it(name: str, command: click.Command) -> None:
    assert command.help
    assert all(getattr(parameter, "help", "") for parameter in command.params if parameter.name != "help")
    assert f"labctl {name}" in README


def test_help_loads_nothing_heavy() -> None:
    """Else `labctl --help` would take seconds."""
    asked = "import sys; import cli.main; print(*{name.split('.')[0] for name in sys.modules})"

    loaded = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout.split()

    assert set(HEAVY).isdisjoint(loaded)


@given(st.integers(1, 10**6), st.sampled_from([("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("", 1.0)]))
def test_a_duration_is_its_number_times_its_unit(number: int, unit: tuple[str, float]) -> None:
    assert duration(f"{number}{unit[0]}") == number * unit[1]


@given(st.text())
def test_any_other_duration_is_refused_in_words(text: str) -> None:
    if not re.fullmatch(r"\d+(\.\d+)?(ms|s|m|h|)", text.strip()):
        with pytest.raises(typer.BadParameter, match="is no duration"):
            duration(text)


def test_weights_are_whole_percents() -> None:
    assert weights("10,25,50") == (10, 25, 50)
    with pytest.raises(typer.BadParameter, match="whole percents"):
        weights("10,half")


@pytest.mark.parametrize(
    ("text", "replicas", "surge", "unavailable"),
    [("1", 4, 1, 1), ("25%", 4, 1, 1), ("25%", 2, 1, 0), ("25%", 10, 3, 2), ("0%", 3, 0, 0), ("100%", 3, 3, 3), ("7%", 100, 7, 7)],
)
def test_a_percentage_of_replicas_is_rounded_as_by_kubernetes(text: str, replicas: int, surge: int, unavailable: int) -> None:
    """A surge up, those that may be missing down."""
    assert (part(text).at_least(replicas), part(text).at_most(replicas)) == (surge, unavailable)


@pytest.mark.parametrize("text", ["-1", "25.5%", "%", "half", "25 %%", ""])
def test_what_is_no_number_of_replicas_is_refused_in_words(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="write 1, or 25% of them"):
        part(text)


def rolling(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """What a rolling rollout says that it would do, where no lab runs."""
    words = [sys.executable, "-m", "cli", "rollout", "rolling", "--dry-run", *options]
    environment = {**os.environ, "LAB_HOME": str(folder / "lab"), "NO_COLOR": "1"}
    return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_a_rolling_rollout_takes_percentages_and_refuses_those_that_come_to_nothing(tmp_path: Path) -> None:
    plan = json.loads(rolling(tmp_path, "--replicas", "5", "--max-surge", "30%", "--max-unavailable", "30%", "--json").stdout)["plan"]
    assert [(step["max_surge"], step["max_unavailable"]) for step in plan["steps"] if step["type"] == "Replace"] == [(2, 1)]

    refused = rolling(tmp_path, "--replicas", "3", "--max-surge", "0", "--max-unavailable", "25%")
    assert refused.returncode == 2
    assert "--max-surge comes to 0 and --max-unavailable, of which a percentage is rounded down, to 0" in refused.stderr


def test_every_error_has_a_promised_exit_code() -> None:
    def tree(kind: type[LabError]) -> set[int]:
        return {kind.exit_code}.union(*(tree(below) for below in kind.__subclasses__()))

    assert tree(LabError) == {2, 3, 130}


def test_the_lock_names_its_holder_and_is_free_afterwards(tmp_path: Path) -> None:
    with exclusive(tmp_path, "labctl first"):
        assert held(tmp_path)
        with pytest.raises(LockHeld, match="labctl first"), exclusive(tmp_path, "labctl second"):
            pass

    assert not held(tmp_path)


def test_a_signal_is_heard_at_the_next_nap_and_not_behind_the_shield() -> None:
    clock = SystemClock()
    with clock.listening():
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(Interrupted, match="SIGTERM"):
            clock.sleep(0)
        clock.shield()
        clock.sleep(0)


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("labctl rol", {"rollout"}),
        ("labctl rollout ", {"canary", "recreate", "rolling", "blue-green", "ab-test", "shadow"}),
        ("labctl rollout canary --to v2-", {"v2-broken", "v2-wrong"}),
        ("labctl report 2026", {"20261127-1-canary-v1-v2", "20261126-1-shadow-v1-v2"}),
        ("labctl report --format ", {"terminal", "html", "md", "json"}),
    ],
)
def test_tab_completes_commands_versions_and_runs(tmp_path: Path, typed: str, offered: set[str]) -> None:
    for file in ("models/v1/model.json", "models/v2-broken/model.json", "models/v2-wrong/model.json"):
        (tmp_path / file).parent.mkdir(parents=True)
        (tmp_path / file).touch()
    for name in ("20261126-1-shadow-v1-v2", "20261127-1-canary-v1-v2"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "plan.json").touch()
    words = typed.split(" ")
    asked = {"_LABCTL_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(len(words) - 1)}
    program = "import sys; sys.argv[0] = 'labctl'; from cli.main import app; app(prog_name='labctl')"
    environment = {**os.environ, **asked, "PYTHONPATH": str(Path(__file__).parents[3])}
    environment = {name: value for name, value in environment.items() if name not in {"LAB_STORE", "LAB_RUNS"}}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
    )

    assert set(done.stdout.split()) == offered, done.stderr
