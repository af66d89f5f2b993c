"""`python -m tests.screenshots FOLDER [--only pages|runs]`: a picture of each page, made in a headless Chromium.

Those of the ways of serving have an answer on them; of rollouts there is the page of one under way, and the report of one that
found a bad version. Everything on them is real: it runs meanwhile, and has ended afterwards.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image

from strategies.events import Looked
from tests.browser import Browser, chromium
from tests.e2e.labctl import Labctl
from tests.e2e.site import Site, site

HEIGHT = 960
REPORT_WIDTH, REPORT_HEIGHT, LIVE_HEIGHT = 1000, 1240, 1120
LARGEST = 150_000
"""Bytes of a picture, which everybody who clones the project gets."""
COLOURS = 128
PAGES = {
    "embedded": ("^Predict$", "Answered by the page itself"),
    "data": ("^Predict$", "Answered by the page itself"),
    "service": ("^Predict$", "Answered by the service"),
    "database": ("^Look it up$", "Answered by the database"),
    "side-by-side": ("^Ask both$", "Answered by v2"),
}
"""Of each page what its button is called, and what it says once it has answered."""
UNDER_WAY = ("rollout", "canary", "--steps", "25,50", "--rate", "100", "--hold", "60s", "--objective-latency", "1s")
FOUND_OUT = ("rollout", "canary", "--weight", "10", "--to", "v2-broken")
"""What the README says that its picture shows."""
LOOKS = 8
"""Looks at the users' counts before the picture, so that there is something to be seen."""


def take(browser: Browser, served: Site, page: str, picture: Path, width: int) -> None:
    """A picture of a page that has answered."""
    button, words = PAGES[page]
    browser.open(f"{served.url}/{page}", width=width, height=HEIGHT)
    browser.wait_for("A real case that training never saw")
    browser.tab_to(button)
    browser.press("Enter")
    browser.wait_for(words)
    _shoot(browser, picture)


def ways_of_serving(labctl: Labctl, folder: Path, browser: Browser, pictures: Path, width: int) -> None:
    """The first page, and each way's with an answer on it."""
    with site(labctl, folder) as served:
        served.predict("v2")
        served.start_pages()
        browser.open(served.url, width=width, height=HEIGHT)
        browser.wait_for("Embedded model\\s+Model and code")
        _shoot(browser, pictures / "page-start.png")
        for page in PAGES:
            take(browser, served, page, pictures / f"page-{page}.png", width)


def rollouts(labctl: Labctl, browser: Browser, pictures: Path) -> None:
    """The page of a rollout under way, and the report of one that found a bad version."""
    with labctl.started("dashboard") as dashboard:
        assert dashboard.stdout is not None
        address = dashboard.stdout.readline().strip()
        with labctl.started(*UNDER_WAY) as rollout:
            labctl.wait_for("looks", lambda: sum(isinstance(event, Looked) for event in labctl.events()) >= LOOKS)
            browser.open(f"{address}runs/{_newest(labctl)}", width=REPORT_WIDTH, height=LIVE_HEIGHT)
            browser.wait_for("served \\d+ % of the intended 25 %")
            browser.wait_for("Who got the new version")
            _shoot(browser, pictures / "live.png")
            rollout.terminate()
            rollout.communicate(timeout=120)
        done = labctl.run(*FOUND_OUT)
        assert done.returncode == 1, done.stdout + done.stderr
    browser.open((labctl.runs / _newest(labctl) / "report.html").as_uri(), width=REPORT_WIDTH, height=REPORT_HEIGHT)
    browser.wait_for("Who got the new version")
    _shoot(browser, pictures / "report.png")


def _newest(labctl: Labctl) -> str:
    return max(path.parent.name for path in labctl.runs.glob("*/plan.json"))


def _shoot(browser: Browser, picture: Path) -> None:
    browser.screenshot(picture)
    # a page has few colours, and with few in the file it is a third as large
    with Image.open(picture) as taken:
        reduced = taken.convert("RGB").quantize(COLOURS)
    reduced.save(picture, optimize=True)
    assert picture.stat().st_size < LARGEST, f"{picture} has {picture.stat().st_size} bytes, and may have {LARGEST}"


def main() -> int:
    """Take all of them, or a part."""
    parser = argparse.ArgumentParser(prog="python -m tests.screenshots", description="Take a picture of each page.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--store", type=Path, default=Path("models"), help="where v1, v2 and v2-broken have been trained")
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--only", choices=("pages", "runs"), help="only of the ways of serving, or only of rollouts")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="lab-") as name:
        folder = Path(name)
        # where the store is can be read on a page
        labctl = Labctl(folder, Path(shutil.copytree(options.store, folder / "models")))
        try:
            with chromium(folder / "profile") as browser:
                browser.call("Emulation.setScrollbarsHidden", hidden=True)
                if options.only != "runs":
                    ways_of_serving(labctl, folder, browser, options.folder, options.width)
                if options.only != "pages":
                    rollouts(labctl, browser, options.folder)
        finally:
            labctl.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
