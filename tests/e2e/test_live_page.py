"""The live page in a real browser: a rollout as it goes on, steered by its buttons, and what it says when somebody dies."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from strategies.events import StepStarted
from tests.browser import Browser, chromium
from tests.e2e.labctl import Labctl

pytestmark = pytest.mark.browser

ROLLOUT = ("rollout", "canary", "--rate", "40", "--steps", "40,50", "--baseline", "1s", "--hold", "150s", "--timeout", "90s")
"""It stays in its analysis until somebody steers it, so that no outcome depends on how fast the machine is."""


MEASURED = Path(__file__).parents[2] / "docs" / "measured" / "comparison.json"


@contextmanager
def looked_at(labctl: Labctl, folder: Path) -> Iterator[tuple[Browser, str]]:
    """A browser, and the address of `labctl dashboard`, which has the comparison that is in docs/."""
    comparison = folder / "comparison"
    comparison.mkdir()
    shutil.copy(MEASURED, comparison)
    with labctl.started("dashboard", "--comparison", str(comparison)) as dashboard, chromium(folder / "profile") as browser:
        assert dashboard.stdout is not None
        address = dashboard.stdout.readline().strip()
        yield browser, address
        dashboard.terminate()
        dashboard.wait(20)


def test_a_rollout_is_watched_paused_promoted_and_aborted_on_its_page(labctl: Labctl, tmp_path: Path) -> None:
    with looked_at(labctl, tmp_path) as (browser, address), labctl.started(*ROLLOUT) as rollout:
        labctl.wait_for_step("analyse", 120)
        name = next(labctl.runs.glob("*/plan.json")).parent.name
        browser.open(address)
        browser.wait_for(f"{name}\\s+under way")
        assert _fits(browser, 1000)
        browser.open(f"{address}runs/{name}", width=390)
        # pushed by the server: nobody loads the page anew
        browser.wait_for("evidence of harm, of its limit")
        browser.wait_for("served \\d+ % of the intended 40 %")
        browser.wait_for("under way in “analyse.*”, which began at [0-9:]+ UTC")
        assert _fits(browser, 390)
        browser.screenshot(tmp_path / "page.png")
        assert (tmp_path / "page.png").stat().st_size > 10_000

        browser.click("pause")
        browser.click("yes, pause")
        browser.wait_for("Paused: it stays where it is")
        for word in ("promote", "abort"):
            browser.click(word)
            # there may be several pages open, each of another run
            browser.wait_for(f"{word} {name}\\?")
            browser.click("no, leave it")
        browser.click("resume")
        browser.click("yes, resume")
        browser.wait_for("Under way")
        assert rollout.poll() is None, "a button that was not confirmed did something"
        assert _analyses(labctl) == 1, "a button that was not confirmed did something"
        browser.click("promote")
        browser.click("yes, promote")
        browser.wait_for("asked to promote")
        # the rest of the first analysis is not waited for
        browser.wait_for("served \\d+ % of the intended 50 %")
        labctl.wait_for("second analysis", lambda: _analyses(labctl) == 2)
        browser.click("abort")
        browser.click("yes, abort")
        _, err = rollout.communicate(timeout=90)
        assert rollout.returncode == 130, err
        browser.wait_for("interrupted, rolled back")
        browser.wait_for("Where and how")
        assert browser.evaluate("document.querySelectorAll('nav button').length") == 0

        browser.open(address)
        browser.wait_for(f"{name}\\s+interrupted")
        _compare(labctl, browser, address, name)
        assert all(asked.startswith(address) for asked in browser.asked if not asked.startswith("about:"))


def test_the_page_says_so_when_labctl_dies_and_when_its_own_server_does(labctl: Labctl, tmp_path: Path) -> None:
    with looked_at(labctl, tmp_path) as (browser, address), labctl.started(*ROLLOUT) as rollout:
        labctl.wait_for_step("baseline", 120)
        name = next(labctl.runs.glob("*/plan.json")).parent.name
        browser.open(f"{address}runs/{name}")
        browser.wait_for("Under way")

        rollout.kill()
        browser.wait_for("The labctl that carried it out has died")
        # there is nobody to hear a word, but what was left can be ended
        assert browser.evaluate("[...document.querySelectorAll('nav button:enabled')].map(b => b.innerText).join()") == "abort"

        with labctl.started("dashboard") as second:
            assert second.stdout is not None
            browser.open(second.stdout.readline().strip() + f"runs/{name}")
            browser.wait_for("The labctl that carried it out has died")
            second.kill()
            browser.wait_for("labctl dashboard does not answer, and this is what was seen last")

        browser.open(f"{address}runs/{name}")
        browser.wait_for("The labctl that carried it out has died")
        browser.click("abort")
        browser.click("yes, abort")
        browser.wait_for("interrupted, rolled back", 120)
        # its report is still to be written then
        labctl.wait_for("end of the abort", lambda: json.loads(labctl.run("status", "--json").stdout)["holder"] is None)
        assert labctl.run("abort").returncode == 2, "something was left of it"


def _compare(labctl: Labctl, browser: Browser, address: str, name: str) -> None:
    """The other pages, from the list: what each strategy costs, and two chosen runs side by side."""
    # gone to and not clicked, as Chromium may owe an answer to what was asked of a page that it leaves
    browser.open(browser.evaluate("document.querySelector('a[href$=comparison]').href"))
    browser.wait_for("users who met something bad")
    assert browser.evaluate("document.querySelectorAll('.plot svg').length") > 0
    assert _fits(browser, 1000)

    for words in (("up",), ("load", "--rate", "20", "--for", "2s")):
        done = labctl.run(*words)
        assert done.returncode == 0, done.stderr
    browser.open(address)
    browser.wait_for("-load-")
    browser.evaluate("document.querySelectorAll('input[type=checkbox]').forEach(box => box.click())")
    assert browser.evaluate("document.querySelector('form button').innerText") == "Two chosen runs side by side"
    browser.open(browser.evaluate("(form => `${form.action}?${new URLSearchParams(new FormData(form))}`)(document.querySelector('form'))"))
    browser.wait_for("p95, old version / new\\s+[0-9.]+ ms\\s+[0-9.]+ / [0-9.]+ ms")
    assert browser.evaluate(f"[...document.links].some(link => link.pathname === '/runs/{name}')")
    assert _fits(browser, 1000)


def _analyses(labctl: Labctl) -> int:
    return sum(isinstance(event, StepStarted) and event.title.startswith("analyse") for event in labctl.events())


def _fits(browser: Browser, width: int) -> bool:
    return bool(browser.evaluate("document.documentElement.scrollWidth") <= width)
