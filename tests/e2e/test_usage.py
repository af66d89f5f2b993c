"""Nonsense and broken ground: one clear sentence, the promised exit code, and v1 still serves."""

import json
import resource
import shutil
import socket
from pathlib import Path

import pytest

from tests.e2e.labctl import QUICK, Labctl


def require_sentence(stderr: str, *words: str) -> None:
    """The last line says it, and there is no traceback."""
    assert "Traceback" not in stderr
    said = stderr.replace("\n", " ")
    assert all(word in said for word in words), stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--weight", "0"], ["1 to 100 percent"]),
        (["--weight", "101"], ["1 to 100 percent"]),
        (["--steps", "50,10"], ["must grow"]),
        (["--steps", "ten"], ["whole percents"]),
        (["--hold", "soon"], ["is no duration"]),
        (["--to", "v9"], ["v9", "--to"]),
        (["--to", "../v2"], ["../v2", "--to"]),
        (["--to", "v1"], ["v1 is stable already", "--to"]),
        (["--from", "v2", "--to", "v1"], ["--from"]),
        (["--replicas", "-1"], ["--replicas"]),
        (["--no-such-option"], ["No such option"]),
    ],
    ids=lambda value: "_".join(value) if value and value[0].startswith("--") else "",
)
def test_nonsense_is_refused(shared: Labctl, arguments: list[str], words: list[str]) -> None:
    done = shared.run("rollout", "canary", *arguments)

    assert done.returncode == 2, done.stderr
    require_sentence(done.stderr, *words)
    assert shared.answer().headers["x-served-by"] == "v1"


@pytest.mark.parametrize("command", ["resume", "abort"])
def test_nothing_to_do_is_a_wrong_usage(shared: Labctl, command: str) -> None:
    done = shared.run(command)

    assert done.returncode == 2
    require_sentence(done.stderr, "nothing to " + command)


@pytest.mark.parametrize("harm", ["tampered", "unreadable"])
def test_a_model_that_cannot_be_trusted_is_never_served(labctl: Labctl, store: Path, tmp_path: Path, harm: str) -> None:
    labctl.environment["LAB_STORE"] = str(shutil.copytree(store, tmp_path / "models"))
    assert labctl.run("up").returncode == 0
    model = tmp_path / "models" / "v2" / "model.joblib"
    if harm == "tampered":
        model.write_bytes(model.read_bytes() + b"!")
    else:
        model.unlink()
        model.mkdir()

    done = labctl.run("rollout", "canary", "--baseline", "0s", "--rate", "20")

    assert done.returncode == 3
    require_sentence(done.stderr, "v2", "model.joblib")
    assert labctl.answer().headers["x-served-by"] == "v1"


def test_a_taken_port_is_named_and_nothing_is_left_running(labctl: Labctl) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = labctl.run("rollout", "canary", "--port", str(taken.getsockname()[1]))

    assert done.returncode == 3
    require_sentence(done.stderr, str(taken.getsockname()[1]) if taken.fileno() >= 0 else "port", "--port")
    assert labctl.left_running() == []


def test_a_full_disk_ends_the_rollout_and_not_the_service(labctl: Labctl) -> None:
    """A limit on the size of files is what a full disk is to those who write: an OSError in the middle."""
    assert labctl.run("up").returncode == 0
    with labctl.started(
        "rollout", "canary", *QUICK, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (12_000, 12_000))
    ) as rollout:
        _, err = rollout.communicate(timeout=90)

    assert rollout.returncode == 3, err
    require_sentence(err, "cannot be")
    assert labctl.answer().headers["x-served-by"] == "v1"


def test_a_dry_run_prints_plan_and_routes_and_touches_nothing(labctl: Labctl) -> None:
    done = labctl.run("rollout", "canary", "--steps", "10,50", "--dry-run", "--json")

    assert done.returncode == 0
    document = json.loads(done.stdout)
    assert [step["type"] for step in document["plan"]["steps"]][:4] == ["Baseline", "Deploy", "Route", "Analyse"]
    assert len(document["routes"]) == 3
    assert not labctl.home.exists()
    assert not labctl.runs.exists()


def test_a_lab_is_kept_between_commands_until_it_is_ended(labctl: Labctl) -> None:
    assert labctl.run("load").returncode == 3
    first, second = labctl.run("up", "--json"), labctl.run("up", "--json")

    assert (first.returncode, second.returncode) == (0, 0)
    assert {**json.loads(first.stdout), "already": True} == json.loads(second.stdout)

    load = labctl.run("load", "--rate", "100", "--for", "3s", "--shape", "ramp", "--json")

    assert load.returncode == 0, load.stderr
    summary = json.loads(load.stdout)
    assert summary["outcome"] == "completed"
    assert summary["totals"]["failed"] == 0
    assert summary["totals"]["requests"] > 100
    assert [run["run"] for run in json.loads(labctl.run("runs", "--json").stdout)] == [summary["id"]]
    assert json.loads(labctl.run("report", summary["id"], "--json").stdout)["totals"] == summary["totals"]

    assert labctl.run("down").returncode == 0
    assert labctl.left_running() == []
    assert labctl.run("down").returncode == 0


def test_doctor_finds_what_the_lab_needs(labctl: Labctl) -> None:
    done = labctl.run("doctor")

    assert done.returncode == 0, done.stdout
    assert "prometheus" in done.stdout.lower()
