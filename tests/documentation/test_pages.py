"""Every page can be followed from top to bottom, in a fresh folder, as it stands there."""

import re
from pathlib import Path

import pytest

from tests.documentation.blocks import DOCS, HALF_AN_HOUR, KEEPS, MINUTE, PROJECTS, QUICK, Block, blocks
from tests.documentation.following import Reader, reader

BY_PAGE = {str(page.relative_to(DOCS)): blocks(page) for page in sorted(DOCS.rglob("*.md"))}


def pages_with(*titles: str) -> list[str]:
    """Pages that have a block with one of these titles."""
    return [page for page, own in BY_PAGE.items() if any(block.title in titles for block in own)]


@pytest.mark.parametrize("page", [page for page in pages_with(QUICK) if page not in pages_with(KEEPS)])
def test_what_needs_nothing_can_be_typed_as_it_stands(page: str, tmp_path: Path, store: Path) -> None:
    """But for pages with a terminal to be kept: there the next test does all of it."""
    with reader(tmp_path, store) as reading:
        assert reading.follow(BY_PAGE[page], (QUICK,))


@pytest.mark.everything
@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", pages_with(MINUTE, KEEPS))
def test_a_page_can_be_followed_from_top_to_bottom(page: str, tmp_path: Path, store: Path) -> None:
    with reader(tmp_path, store) as reading:
        assert reading.follow(BY_PAGE[page], (QUICK, MINUTE, KEEPS))


def test_what_no_test_repeats_says_so_on_its_page_or_sets_the_project_up() -> None:
    for page in pages_with(PROJECTS):
        assert all(re.search("^make (setup|demo)$", block.text, re.M) for block in BY_PAGE[page] if block.title == PROJECTS), page
    for page in pages_with(HALF_AN_HOUR):
        assert "No test repeats this one" in (DOCS / page).read_text(), page


def test_a_block_that_fails_or_ends_with_another_code_is_noticed(tmp_path: Path, store: Path) -> None:
    """Else the tests above could not fail."""

    def follow(text: str) -> None:
        Reader.follow(reading, [Block("page", QUICK, text)], (QUICK,))

    with reader(tmp_path, store) as reading:
        follow("test -f models/v1/model.json\nfalse  # exit code 1: as written\n")
        with pytest.raises(AssertionError, match="exit code 1 of"):
            follow("false\ntrue\n")
        with pytest.raises(AssertionError, match="exit code 0, not 1"):
            follow("true  # exit code 1: not so\n")
