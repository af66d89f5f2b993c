"""The pages in a real browser: a visitor with a keyboard, one with a phone, every switch of the model, and everything that can be down.

Each page is served by `labctl serve pages`, over a service, a configuration and a database that are started as a person would.
"""

import os
import re
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from tests.browser import Browser, chromium
from tests.e2e.labctl import Labctl
from tests.e2e.site import DEADLINE, Site, site
from tests.screenshots import PAGES

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    with chromium(tmp_path / "profile") as browser:
        yield browser


@pytest.fixture
def served(labctl: Labctl, tmp_path: Path) -> Iterator[Site]:
    """All four ways with v1, and the pages."""
    with site(labctl, tmp_path) as one:
        one.start_pages()
        yield one


def ask(browser: Browser, served: Site, page: str, *, width: int = 1280) -> str:
    """Open a page, press its button with the keyboard alone, and return the version that answered."""
    button, words = PAGES[page]
    browser.open(f"{served.url}/{page}", width=width)
    browser.wait_for(words_of_the_form(page))
    browser.tab_to(button)
    browser.press("Enter")
    browser.wait_for(words)
    found = re.findall(r"version (\S+) ·", browser.text())
    assert found, browser.text()
    return " ".join(found)


def words_of_the_form(page: str) -> str:
    return "(?s)A real case that training never saw.*" + PAGES[page][0].strip("^$")


def test_a_visitor_predicts_by_keyboard_alone_and_the_page_asks_nobody_else(labctl: Labctl, browser: Browser) -> None:
    """One page and one prediction, from the command to its end."""
    with labctl.started("serve", "embedded", "--port", "0") as process:
        assert process.stdout
        assert process.stderr
        told = re.search(r"http://\S+", process.stdout.readline())
        assert told, process.stderr.read()
        browser.open(told[0])
        browser.wait_for("Change its features")
        browser.tab_to("^Predict$")
        browser.press("Enter")
        browser.wait_for("Answered by the page itself: embedded in the artifact v1-[0-9a-f]{12}")
        # nothing of the program itself gets on a page
        assert "fetched from its publisher" not in browser.text()
        assert hosts(browser) == {"127.0.0.1"}
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE) == 0


def hosts(browser: Browser) -> set[str | None]:
    """Whom the browser has asked."""
    return {urlsplit(url).hostname for url in browser.asked if urlsplit(url).scheme in {"http", "https", "ws", "wss"}}


@pytest.mark.everything
def test_every_page_answers_fits_a_phone_and_reaches_nobody_outside(served: Site, browser: Browser) -> None:
    served.predict("v2")
    browser.open(served.url, width=390)
    browser.wait_for("Two versions answer the same case")

    for page in PAGES:
        assert ask(browser, served, page, width=390)
        assert browser.evaluate("document.documentElement.scrollWidth") <= 390, f"{page} is wider than a phone"
    assert hosts(browser) == {"127.0.0.1"}


@pytest.mark.everything
def test_the_model_is_switched_in_each_of_the_four_ways_and_the_page_shows_the_new_version(served: Site, browser: Browser) -> None:
    """A new artifact, a new line and a restart, a restart of the service alone, and a batch while everything runs."""
    assert {page: ask(browser, served, page) for page in ("embedded", "data", "service", "database")} == dict.fromkeys(
        ("embedded", "data", "service", "database"), "v1"
    )

    served.predict("v2")
    assert ask(browser, served, "database") == "v2"

    served.choose("v2")
    served.stop_service()
    served.start_service()
    assert ask(browser, served, "service") == "v2"
    # the page has loaded its model at its start, and says that another one is chosen
    assert ask(browser, served, "data") == "v1"
    browser.wait_for("names v2 by now")

    served.stop_pages()
    served.start_pages()
    assert ask(browser, served, "data") == "v2"
    assert ask(browser, served, "embedded") == "v1"

    served.stop_pages()
    served.start_pages("v2")
    assert ask(browser, served, "embedded") == "v2"


@pytest.mark.everything
def test_a_service_and_a_database_that_go_away_during_use_are_sentences_and_nothing_is_lost(served: Site, browser: Browser) -> None:
    assert ask(browser, served, "service") == "v1"
    assert served.service
    served.service.send_signal(signal.SIGKILL)
    served.service.wait(DEADLINE)
    browser.tab_to("^Predict$")
    browser.press("Enter")
    browser.wait_for("No service answers at http://127.0.0.1:[0-9]+: start it with labctl serve service")
    served.start_service()
    assert ask(browser, served, "service") == "v1"

    with closing(sqlite3.connect(served.database)) as connection:
        before = connection.execute("SELECT count(*) FROM predictions").fetchone()
    away = served.database.rename(served.database.with_name("away.db"))
    browser.open(f"{served.url}/database")
    browser.wait_for("check that it is up, and that labctl predict batch has filled it")
    away.rename(served.database)
    assert ask(browser, served, "database") == "v1"
    with closing(sqlite3.connect(served.database)) as connection:
        assert connection.execute("SELECT count(*) FROM predictions").fetchone() == before


@pytest.mark.everything
def test_a_store_that_goes_away_during_use_is_missed_by_no_page_and_by_every_start(store: Path, tmp_path: Path, browser: Browser) -> None:
    labctl = Labctl(tmp_path, Path(shutil.copytree(store, tmp_path / "models")))
    try:
        with site(labctl, tmp_path) as served:
            served.start_pages()
            away = labctl.store.rename(tmp_path / "away")
            for page in ("embedded", "data", "service", "database"):
                assert ask(browser, served, page) == "v1"
            browser.open(f"{served.url}/side-by-side")
            browser.wait_for("There is no trained version to compare: labctl model train makes some")

            served.stop_service()
            assert f"there is no model store at {labctl.store}" in served.refused_service()
            browser.open(f"{served.url}/service")
            browser.wait_for("No service answers at")
            assert ask(browser, served, "embedded") == "v1"

            away.rename(labctl.store)
            served.start_service()
            assert ask(browser, served, "service") == "v1"
            assert ask(browser, served, "side-by-side") == "v1 v2"
    finally:
        labctl.end()
    assert labctl.left_running() == []


def test_pages_end_with_the_labctl_that_was_killed(labctl: Labctl) -> None:
    """`kill -9` lets it end nothing, so they end by themselves."""
    with labctl.started("serve", "embedded", "--port", "0") as process:
        assert process.stdout
        assert "Ctrl-C ends it" in process.stdout.readline()
        (pages,) = psutil.Process(process.pid).children()
        os.kill(process.pid, signal.SIGKILL)
        process.wait(DEADLINE)

        labctl.wait_for("end of the pages", lambda: not pages.is_running() or pages.status() == psutil.STATUS_ZOMBIE, DEADLINE)
