"""What the pages depend on goes away while somebody uses them: what needs it says so in a sentence, and everything else answers."""

import re
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from app.artifact import build
from app.choice import Choice, write_choice
from app.errors import UnknownVersion
from app.pages import in_database
from app.pages.__main__ import main
from app.publishing import publish
from app.store import read_card
from tests import postgresql
from tests.unit.app.replica import Replica
from tests.unit.pages.conftest import Opener, click, forget, run, said
from tests.waiting import wait_for


def test_the_embedded_page_misses_no_store_and_its_own_artifact_at_a_start_alone(
    opened: Opener, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = Path(shutil.copytree(store, tmp_path / "models"))
    artifact = build(models, "v1", tmp_path / "artifacts")
    monkeypatch.setenv("MODEL_PAGES_STORE", str(models))
    monkeypatch.setenv("MODEL_PAGES_ARTIFACT", str(artifact))
    forget()
    page = opened("embedded")

    shutil.rmtree(models)
    assert "version **v1**" in said(click(page, "Predict"))
    forget()
    page = opened("embedded")
    assert "version **v1**" in said(click(page, "Predict"))

    shutil.rmtree(artifact)
    assert "version **v1**" in said(click(page, "Predict"))
    forget()
    (error,) = opened("embedded").error
    assert error.value == f"{artifact} is no artifact: `labctl serve embedded --build FOLDER` makes one."


def test_side_by_side_says_when_its_store_is_gone_and_compares_once_it_is_back(
    opened: Opener, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = Path(shutil.copytree(store, tmp_path / "models"))
    monkeypatch.setenv("MODEL_PAGES_STORE", str(models))
    forget()
    page = click(opened("side_by_side"), "Ask both")
    assert "version **v2**" in said(page)

    away = models.rename(tmp_path / "away")
    (error,) = page.run().error
    assert "`labctl model train` makes some" in error.value

    away.rename(models)
    page = click(page.run(), "Ask both")
    assert not page.error
    assert "version **v2**" in said(page)


def test_the_page_of_the_model_as_data_serves_what_was_fetched_for_it_and_misses_no_store(
    opened: Opener, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a cluster, where an init container fetches it."""
    gone = f"file://{tmp_path}/gone"
    write_choice(tmp_path / "model.toml", Choice(store=gone, version="v1"))
    publish(tmp_path / "fetched", read_card(store, "v1"), (store / "v1" / "model.joblib").read_bytes())
    monkeypatch.setenv("MODEL_PAGES_FETCHED", str(tmp_path / "fetched"))
    forget()

    page = click(opened("as_data"), "Predict")

    assert "version **v1**" in said(page)
    assert gone in said(page)


def test_pages_for_which_somebody_fetches_the_model_end_with_a_sentence_if_it_is_not_there(
    artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else they would be ready, and take the place of pages that have theirs."""
    write_choice(tmp_path / "model.toml", Choice(store="s3://models", version="v2"))
    (tmp_path / "fetched").mkdir()
    for name, value in {"ARTIFACT": artifact, "CONFIG": tmp_path / "model.toml", "FETCHED": tmp_path / "fetched"}.items():
        monkeypatch.setenv(f"MODEL_PAGES_{name}", str(value))
    forget()

    assert main([]) == UnknownVersion.exit_code

    assert capsys.readouterr().err.startswith(f"the store {tmp_path}/fetched has no version v2")


@pytest.mark.usefixtures("nothing_left_running")
def test_a_service_that_is_killed_in_the_middle_of_an_answer_is_a_sentence(opened: Opener, service: Callable[..., Replica]) -> None:
    slow = service("v2-slow")
    page = opened("service")

    def killed() -> None:
        busy = re.compile(r"^model_api_in_flight_requests\{.*\} [1-9]", re.MULTILINE)
        wait_for(lambda: busy.search(httpx.get(f"{slow.url}/metrics", trust_env=False).text), "a request under way")
        slow.end()

    killer = threading.Thread(target=killed)
    killer.start()
    try:
        page = click(page, "Predict")
    finally:
        killer.join()

    (error,) = page.error
    assert error.value == f"No service answers at {slow.url}: start it with `labctl serve service`, then ask again."
    service("v1", slow.url.rpartition(":")[2])
    assert "version **v1**" in said(click(click(page, "Ask the service again"), "Predict"))


@pytest.fixture
def postgresql_url(opened: Opener, monkeypatch: pytest.MonkeyPatch, postgresql_server: postgresql.Server) -> Iterator[str]:
    """A database that the pages are led to; their connections to it are closed afterwards."""
    url = postgresql_server.new_database()
    monkeypatch.setenv("MODEL_PAGES_DATABASE", url)
    forget()
    yield url
    in_database.connected(url).dispose()


@pytest.mark.cluster
def test_the_database_page_says_when_postgresql_is_killed_and_shows_the_same_once_it_is_back(
    opened: Opener, store: Path, postgresql_url: str, postgresql_server: postgresql.Server
) -> None:
    url = postgresql_url
    run("app.batch", str(store / "holdout.csv"), "--store", str(store), "--version", "v1", "--database", url)
    page = click(opened("in_database"), "Look it up")
    assert "version **v1**" in said(page)
    before = page.dataframe[0].value

    with postgresql_server.away():
        # of both halves of the page, the history and the case
        (error,) = click(page, "Look again").error
        assert error.value.startswith(f"The database {url} failed (")
        assert error.value.endswith("): check that it is up, and that `labctl predict batch` has filled it.")
        assert len(click(page, "Look it up").error) == 2

    page = click(page, "Look it up")
    assert not page.error
    assert "version **v1**" in said(page)
    assert page.dataframe[0].value.equals(before)
