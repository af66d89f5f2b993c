"""The server as a process: how it starts, what it refuses to start with, and how little it takes."""

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest

from app.errors import BadConfiguration
from app.settings import Settings
from tests.unit.app.conftest import ReplicaFactory
from tests.unit.app.test_api import holdout_case


def refused(store: Path, code: int = 3, **settings: str) -> str:
    """What a server that cannot serve says; everything else about its end is checked here."""
    variables = {"STORE": str(store), "VERSION": "v1", "PORT": "0", **{name.upper(): value for name, value in settings.items()}}
    server = subprocess.run(
        [sys.executable, "-m", "app.server"],
        env={**os.environ, **{f"MODEL_API_{name}": value for name, value in variables.items()}},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert server.returncode == code
    assert "Traceback" not in server.stderr
    return server.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"version": ""}, "MODEL_API_VERSION: Field required"),
        ({"port": "http"}, "MODEL_API_PORT: Input should be a valid integer"),
        ({"port": "65536"}, "MODEL_API_PORT: Input should be less than or equal to 65535"),
        ({"error_ratio": "1.5"}, "MODEL_API_ERROR_RATIO: Input should be less than or equal to 1"),
        ({"latency_seconds": "-1"}, "MODEL_API_LATENCY_SECONDS: Input should be greater than or equal to 0"),
        ({"drain_seconds": "nan"}, "MODEL_API_DRAIN_SECONDS"),
        ({"slot": "Blue!"}, "MODEL_API_SLOT"),
        ({"max_body_bytes": "0"}, "MODEL_API_MAX_BODY_BYTES"),
    ],
)
def test_bad_configuration_names_the_variable(monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], said: str) -> None:
    monkeypatch.setenv("MODEL_API_STORE", "models")
    for name, value in {"version": "v1", **settings}.items():
        if value:
            monkeypatch.setenv(f"MODEL_API_{name.upper()}", value)

    with pytest.raises(BadConfiguration) as refused:
        Settings.from_environment()

    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_bad_configuration_is_one_sentence_that_names_all_bad_variables_at_once(store: Path) -> None:
    sentence = refused(store, port="x", error_ratio="y")

    assert "MODEL_API_PORT" in sentence
    assert "MODEL_API_ERROR_RATIO" in sentence


def test_missing_version_is_one_sentence(store: Path) -> None:
    assert "has no version v9" in refused(store, code=2, version="v9")


def test_tampered_model_is_one_sentence(store: Path, tmp_path: Path) -> None:
    shutil.copytree(store / "v1", tmp_path / "v1")
    with (tmp_path / "v1" / "model.joblib").open("ab") as file:
        file.write(b"!")

    assert "sha256 differs" in refused(tmp_path)


def test_port_in_use_is_one_sentence_and_told_at_once(store: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        started = time.monotonic()

        assert f"cannot listen on 127.0.0.1 port {port}" in refused(store, port=str(port))
        assert time.monotonic() - started < 20


def test_address_of_another_machine_is_one_sentence(store: Path) -> None:
    assert "cannot listen on 192.0.2.1" in refused(store, host="192.0.2.1")


def test_signal_while_starting_ends_it_cleanly(tmp_path: Path) -> None:
    """There is nothing to drain yet. The card is a pipe, so that the server is surely reading it when the signal comes."""
    (tmp_path / "v2").mkdir()
    os.mkfifo(tmp_path / "v2" / "model.json")
    process = subprocess.Popen(
        [sys.executable, "-m", "app.server"],
        env={**os.environ, "MODEL_API_STORE": str(tmp_path), "MODEL_API_VERSION": "v2", "MODEL_API_PORT": "0"},
        stderr=subprocess.PIPE,
    )
    try:
        with (tmp_path / "v2" / "model.json").open("wb"):  # opens once the server has opened its end
            process.terminate()
            _, stderr = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()

    assert process.returncode == 0
    assert stderr == b""


def test_replica_is_ready_soon_takes_few_threads_and_refuses_long_bodies_on_a_connection_that_goes_on(replica: ReplicaFactory) -> None:
    started = time.monotonic()
    one = replica("v1", max_body_bytes="2000")

    assert time.monotonic() - started < 20, "1.1 s on an idle machine"
    with httpx.Client(base_url=one.url, headers={"content-type": "application/json"}) as client:
        for body in (b" " * 500_000, (b" " * 1000 for _ in range(500))):
            answer = client.post("/predict", content=body)
            assert answer.status_code == 413
            assert answer.headers["x-served-by"] == "v1"
        assert client.post("/predict", json=holdout_case(0)).status_code == 200
    # the event loop's and the pool's for one request at a time: no numeric library has started one per core
    assert psutil.Process(one.process.pid).num_threads() <= 3


def test_faults_are_configured_by_the_environment(replica: ReplicaFactory) -> None:
    one = replica("v1", error_ratio="1", latency_seconds="0.1", slot="green")

    answer = httpx.post(f"{one.url}/predict", json=holdout_case(0))

    assert answer.status_code == 500
    assert "injected" in answer.json()["detail"]
    assert answer.elapsed.total_seconds() >= 0.1
    assert httpx.get(f"{one.url}/healthz").status_code == 200
    assert httpx.get(f"{one.url}/version").json()["slot"] == "green"
