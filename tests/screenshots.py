"""`python -m tests.screenshots FOLDER [--width PIXELS]`: a picture of each page, with an answer on it, made in a headless Chromium.

Everything on them is real: the pages, the service and the database run meanwhile, and have ended afterwards.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from tests.browser import Browser, chromium
from tests.e2e.labctl import Labctl
from tests.e2e.site import Site, site

HEIGHT = 960
LARGEST = 150_000
"""Bytes of a picture, which everybody who clones the project gets."""
PAGES = {
    "embedded": ("^Predict$", "Answered by the page itself"),
    "data": ("^Predict$", "Answered by the page itself"),
    "service": ("^Predict$", "Answered by the service"),
    "database": ("^Look it up$", "Answered by the database"),
    "side-by-side": ("^Ask both$", "Answered by v2"),
}
"""Of each page what its button is called, and what it says once it has answered."""


def take(browser: Browser, served: Site, page: str, picture: Path, width: int) -> None:
    """A picture of a page that has answered."""
    button, words = PAGES[page]
    browser.open(f"{served.url}/{page}", width=width, height=HEIGHT)
    browser.wait_for("A real case that training never saw")
    browser.tab_to(button)
    browser.press("Enter")
    browser.wait_for(words)
    browser.screenshot(picture)
    assert picture.stat().st_size < LARGEST, f"{picture} has {picture.stat().st_size} bytes, and may have {LARGEST}"


def main() -> int:
    """Take all of them."""
    parser = argparse.ArgumentParser(prog="python -m tests.screenshots", description="Take a picture of each page.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--store", type=Path, default=Path("models"), help="where v1 and v2 have been trained")
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--prefix", default="page-")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="lab-") as name:
        folder = Path(name)
        # where the store is can be read on a page
        labctl = Labctl(folder, Path(shutil.copytree(options.store, folder / "models")))
        try:
            with site(labctl, folder) as served, chromium(folder / "profile") as browser:
                served.predict("v2")
                served.start_pages()
                browser.open(served.url, width=options.width, height=HEIGHT)
                browser.wait_for("Embedded model\\s+Model and code")
                browser.screenshot(options.folder / f"{options.prefix}start.png")
                for page in PAGES:
                    take(browser, served, page, options.folder / f"{options.prefix}{page}.png", options.width)
        finally:
            labctl.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
