"""Servers of one page, and the visitor who clicks on them without a browser: what `labctl serving compare` measures with."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from streamlit.testing.v1 import AppTest

from app.artifact import build
from app.errors import ServiceFailed
from app.pages import main
from app.pages.clicking import Visit, Visitors
from tests.ports import free_port
from tests.unit.pages.conftest import SECONDS, forget
from tests.waiting import wait_for

pytestmark = pytest.mark.usefixtures("nothing_left_running")


@contextmanager
def served(artifact: Path, port: int) -> Iterator[None]:
    """The embedded page alone, of an artifact."""
    environment = {**os.environ, "MODEL_PAGES_ARTIFACT": str(artifact), "MODEL_PAGES_SHOW": "embedded"}
    process = subprocess.Popen([sys.executable, "-m", "app.pages", "--port", str(port)], env=environment, stdout=subprocess.DEVNULL)

    def answers() -> bool:
        assert process.poll() is None, "the pages ended"
        try:
            return httpx.get(f"http://127.0.0.1:{port}/_stcore/health", trust_env=False, timeout=SECONDS).is_success
        except httpx.HTTPError:
            return False

    try:
        wait_for(answers, "the pages answer")
        yield
    finally:
        process.terminate()
        process.wait(SECONDS)


def test_a_visitor_asks_about_new_data_and_comes_back_once_the_pages_were_started_anew(artifact: Path, store: Path, tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    visitors = Visitors()
    with served(artifact, port):
        assert visitors.visit(Visit(pages=url, strategy="embedded", alone=True))["version"] == "v1"
        # each click changes the case to another one, or this would be refused
        told = visitors.visit(Visit(pages=url, strategy="embedded", alone=True, new=True, seconds=0.5))
        assert told["version"] == "v1"
        assert float(told["clicks"]) > 1
        assert 0 < float(told["p50_seconds"]) <= float(told["p99_seconds"])
    with pytest.raises(ServiceFailed, match="no pages are served at"):
        visitors.visit(Visit(pages=url, strategy="embedded", alone=True))
    with served(build(store, "v2", tmp_path), port):
        assert visitors.visit(Visit(pages=url, strategy="embedded", alone=True))["version"] == "v2"


@pytest.mark.parametrize("show", ["embedded", "data", "service", "database"])
@pytest.mark.usefixtures("opened")
def test_one_page_may_be_served_alone(show: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_PAGES_SHOW", show)
    forget()

    page = AppTest.from_file(str(Path(main.__file__)), default_timeout=SECONDS).run()

    assert not page.exception
    assert page.title[0].value == main.PAGES[show][1]


def test_a_page_that_asks_a_service_loads_neither_scikit_learn_nor_a_database() -> None:
    """So its memory, and its start, are those of a page without a model."""
    code = "import sys; from app.pages import main, service; print({'sklearn', 'sqlalchemy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=SECONDS, check=True)

    assert done.stdout == "set()\n"
