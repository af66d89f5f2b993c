"""The pages in this process, over a real artifact, a real store, a real service and a real database."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from app.artifact import build
from app.pages import models
from app.pages.configuration import Configuration
from tests.unit.app.replica import Replica

Opener = Callable[[str], AppTest]
SECONDS = 60
SCRIPT = "from app.pages import {page}\n{page}.page()\n"


@pytest.fixture(scope="session")
def artifact(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An artifact with v1. Only to be read."""
    return build(store, "v1", tmp_path_factory.mktemp("artifacts"))


@pytest.fixture
def opened(store: Path, artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Opener]:
    """Opens a page by its module's name, with nothing remembered from another test's process."""
    values = {"ARTIFACT": artifact, "STORE": store, "CONFIG": tmp_path / "model.toml", "DATABASE": f"sqlite:///{tmp_path}/predictions.db"}
    for name, value in values.items():
        monkeypatch.setenv(f"MODEL_PAGES_{name}", str(value))
    forget()
    yield lambda page: AppTest.from_string(SCRIPT.format(page=page), default_timeout=SECONDS).run()
    forget()


def forget() -> None:
    """What a restart of the pages forgets."""
    Configuration.from_environment.cache_clear()
    st.cache_resource.clear()
    st.cache_data.clear()
    models.published.cache_clear()


@pytest.fixture
def service(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Replica]]:
    """Starts the service with a version; the first one's address is what the page calls."""
    running: list[Replica] = []

    def start(version: str, port: str = "0") -> Replica:
        one = Replica(store, version, tmp_path / f"{version}-{len(running)}.log", {"port": port})
        running.append(one)
        one.wait_until_ready()
        monkeypatch.setenv("MODEL_PAGES_API", one.url)
        Configuration.from_environment.cache_clear()
        return one

    yield start
    for one in running:
        one.end()


def run(*program: str) -> None:
    """A program of the model API, to its end."""
    subprocess.run([sys.executable, "-m", *program], check=True, capture_output=True, timeout=SECONDS)


def click(page: AppTest, label: str) -> AppTest:
    """Press the button that is called so."""
    next(button for button in page.button if button.label == label).click()
    page.run()
    assert not page.exception
    return page


def said(page: AppTest) -> str:
    """All that the page says."""
    return "\n".join(element.value for kind in (page.markdown, page.success, page.warning, page.error, page.info) for element in kind)
