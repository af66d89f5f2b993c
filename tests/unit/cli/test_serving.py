"""Models as data, as a service and in batches, as a person does it: by `labctl` alone."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx

DEADLINE = 60.0


def labctl(folder: Path, store: Path, *arguments: str) -> str:
    """A command that must succeed; what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        cwd=folder,
        env={**os.environ, "LAB_STORE": str(store), "PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_publish_choose_serve_and_predict_in_a_batch(store: Path, tmp_path: Path) -> None:
    published = f"file://{tmp_path / 'published'}"
    assert "published at" in labctl(tmp_path, store, "model", "publish", "v2", "--store", published)
    assert labctl(tmp_path, store, "model", "list", "--store", published).startswith("v2 ")
    labctl(tmp_path, store, "model", "use", "v2", "--store", published)
    labctl(tmp_path, store, "predict", "batch", str(store / "holdout.csv"), "--store", published, "--version", "v2")
    (tmp_path / "key").write_text("hush\n")

    log = tmp_path / "service.log"
    with log.open("wb") as stderr:
        service = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "cli",
                "serve",
                "service",
                "--port",
                "0",
                "--api-key-file",
                "key",
                "--database",
                "sqlite:///predictions.db",
            ],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
            stderr=stderr,
        )
    try:
        deadline = time.monotonic() + DEADLINE
        while (found := re.search(r"listens on (http://127\.0\.0\.1:\d+)\n", log.read_text())) is None:
            assert service.poll() is None, log.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        key = {"x-api-key": "hush"}
        assert httpx.get(f"{found[1]}/version").status_code == 401
        assert httpx.get(f"{found[1]}/version", headers=key).json()["version"] == "v2"
        (newest,) = httpx.get(f"{found[1]}/predictions?limit=1", headers=key).json()["predictions"]
        assert (newest["version"], newest["row"]) == ("v2", 170)
        service.send_signal(signal.SIGTERM)
        assert service.wait(DEADLINE) == 0
    finally:
        service.kill()
        service.wait()
