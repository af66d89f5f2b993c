"""A model on its way: published to a real S3 server, fetched by digest into a folder, and served from there."""

import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from app.store import load, read_card, versions
from app.stores.opening import open_store
from tests.ports import free_port
from tests.unit.app.conftest import ReplicaFactory


def program(*arguments: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([sys.executable, "-m", *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in done.stderr
    return done


def publish(store: Path, version: str, url: str) -> subprocess.CompletedProcess[str]:
    return program("app.stores", "publish", version, "--from", str(store), "--store", url)


def fetch(url: str, to: Path, *options: str, version: str = "v1") -> subprocess.CompletedProcess[str]:
    return program("app.fetching", "--store", url, "--version", version, "--to", str(to), *options)


def test_a_published_version_is_listed_fetched_and_loads(store: Path, bucket: str, tmp_path: Path) -> None:
    assert "published at" in publish(store, "v1", bucket).stdout
    assert "was published already" in publish(store, "v1", bucket).stdout
    card = read_card(store, "v1")

    listed = program("app.stores", "list", "--store", bucket).stdout
    assert listed.startswith("v1 ")
    assert card.sha256[:12] in listed

    fetched = fetch(bucket, tmp_path / "here", "--sha256", card.sha256)
    assert fetched.returncode == 0, fetched.stderr
    assert card.sha256 in fetched.stdout
    assert load(tmp_path / "here", "v1").card == card


def test_what_cannot_be_fetched_is_one_sentence_and_leaves_nothing(
    store: Path, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(store, "v1", bucket)
    files, root = open_store(bucket)
    to = tmp_path / "here"

    missing, other = fetch(bucket, to, version="v9"), fetch(bucket, to, "--sha256", "0" * 64)
    files.pipe_file(f"{root}/v1/{read_card(store, 'v1').sha256}.joblib", b"cut off")
    damaged = fetch(bucket, to)
    files.rm_file(f"{root}/v1/model.json")
    half = fetch(bucket, to)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    down = fetch(bucket, to)

    assert [done.returncode for done in (missing, other, damaged, half, down)] == [2, 3, 3, 2, 3]
    for done, said in (
        (missing, "has no version v9"),
        (other, "another model than the one that was chosen"),
        (damaged, "its sha256 differs"),
        (half, "has no version v1"),
        (down, "cannot be used"),
    ):
        assert said in done.stderr
        assert done.stderr.count("\n") == 1
    assert versions(to) == []


def test_changing_the_configuration_and_restarting_switches_the_model(
    store: Path, bucket: str, tmp_path: Path, replica: ReplicaFactory
) -> None:
    config = tmp_path / "model.toml"
    for version in ("v1", "v2"):
        publish(store, version, bucket)

    for version in ("v1", "v2"):
        chosen = program("app.stores", "use", version, "--config", str(config), "--store", bucket, "--from", str(store))
        assert chosen.returncode == 0, chosen.stderr
        one = replica("v1", config=str(config))
        assert httpx.get(f"{one.url}/version").json()["version"] == version
        one.end()

    # the running one is not touched by a choice that cannot be made
    before = config.read_text()
    refused = program("app.stores", "use", "v9", "--config", str(config), "--from", str(store))
    assert refused.returncode == 2
    assert config.read_text() == before


def test_a_store_that_was_exchanged_behind_our_back_is_refused(store: Path, tmp_path: Path) -> None:
    """The card and the payload fit each other, but they are not what was chosen."""
    config, published = tmp_path / "model.toml", tmp_path / "published"
    publish(store, "v1", str(published))
    program("app.stores", "use", "v1", "--config", str(config), "--store", str(published), "--from", str(store))
    shutil.rmtree(published / "v1")
    shutil.copytree(store / "v2", published / "v1")

    done = subprocess.run(
        [sys.executable, "-m", "app.server"],
        env={"MODEL_API_CONFIG": str(config), "MODEL_API_PORT": "0", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 3
    assert "another model than the one that was chosen" in done.stderr
