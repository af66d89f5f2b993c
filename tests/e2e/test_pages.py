"""The pages in a real browser: `labctl serve pages`, a visitor with a keyboard, one with a phone, and no word to anybody else."""

import re
import signal
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.browser import Browser, chromium
from tests.e2e.labctl import Labctl


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    with chromium(tmp_path / "profile") as browser:
        yield browser


@pytest.mark.everything
def test_a_visitor_predicts_by_keyboard_and_on_a_phone_and_no_page_reaches_outside(labctl: Labctl, browser: Browser) -> None:
    """The command is ready when it says so, its end is clean, and what it started has ended (the fixture looks)."""
    with labctl.started("serve", "pages", "--port", "0") as process:
        assert process.stdout
        assert process.stderr
        told = re.search(r"http://\S+", process.stdout.readline())
        assert told, process.stderr.read()
        browser.open(told[0])
        browser.wait_for("Change its features")
        browser.tab_to("^Predict$")
        browser.press("Enter")
        browser.wait_for("Answered by the page itself: embedded in the artifact v1-[0-9a-f]{12}")

        for place, words in (
            ("data", "labctl model use"),
            ("service", "No service answers"),
            ("database", "labctl predict batch"),
            ("side-by-side", "Ask both"),
        ):
            browser.open(f"{told[0]}/{place}", width=390)
            browser.wait_for(words)
            assert browser.evaluate("document.documentElement.scrollWidth") <= 390, f"{place} is wider than a phone"

        hosts = {urlsplit(url).hostname for url in browser.asked if urlsplit(url).scheme in {"http", "https", "ws", "wss"}}
        assert hosts == {"127.0.0.1"}
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
