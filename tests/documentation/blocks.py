"""The blocks of commands on a page: what stands in them, and what their titles say they need."""

import re
from pathlib import Path
from typing import NamedTuple

PROJECT = Path(__file__).parents[2]
DOCS = PROJECT / "docs"

QUICK = ""
"""Needs nothing, and takes seconds."""
MINUTE = "takes a minute"
HALF_AN_HOUR = "takes half an hour"
"""Too long for any test: only its words are checked, and its page says which block above it goes the same way."""
KEEPS = "keeps its terminal"
CLUSTER = "needs a cluster"
PROJECTS = "in the project's folder"
"""Sets up what the tests themselves need to run, so nothing of it is run again by a test."""
YOURS = "on a cluster of yours"
"""Needs what no test has; only its words are checked."""
TITLES = (QUICK, MINUTE, HALF_AN_HOUR, KEEPS, CLUSTER, PROJECTS, YOURS)

FENCE = re.compile(r'^```sh(?: title="([^"]*)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
HERE_DOCUMENT = re.compile(r"^(?P<first>.*<<'(?P<word>\w+)')\n.*?^(?P=word)$", re.MULTILINE | re.DOTALL)
EXIT_CODE = re.compile(r"^(?P<command>.*?)  # exit code (?P<code>\d+).*$", re.MULTILINE)


class Block(NamedTuple):
    """A fenced block of commands.

    Attributes:
        page: the page's path below the project.
        title: what it needs, one of TITLES.
        text: its lines as they stand there.
    """

    page: str
    title: str
    text: str

    @property
    def script(self) -> str:
        """For bash with -e: a command behind which an exit code is written has to end with it."""
        expected = r"code=0; \g<command> || code=$?; if [ $code -ne \g<code> ]; then echo exit code $code, not \g<code>; exit 9; fi"
        return EXIT_CODE.sub(expected, self.text.replace("\\\n", " "))

    @property
    def commands(self) -> list[str]:
        """Its commands, one each, without comments and without what is fed to them."""
        text = HERE_DOCUMENT.sub(r"\g<first>", self.text).replace("\\\n", " ")
        lines = (re.sub(r"(^|\s)#.*$", "", line).strip() for line in text.splitlines())
        return [line for line in lines if line]


def blocks(page: Path) -> list[Block]:
    """The blocks of a page in order."""
    name = str(page.relative_to(PROJECT))
    return [Block(name, title, text) for title, text in FENCE.findall(page.read_text(encoding="utf-8"))]


def pages() -> list[Path]:
    """Every page that people write or that is made, and the README."""
    return [PROJECT / "README.md", *sorted(DOCS.rglob("*.md"))]
