"""What the pages and the README tell people to type exists, and what the code has is told."""

import re
import shlex
from pathlib import Path

import pytest
from typer.core import TyperArgument, TyperCommand, TyperOption

from handbook import generated, settings
from handbook.commands import commands, parameters
from handbook.pictures import LARGEST
from handbook.site import without_links_out
from tests.documentation.blocks import PROJECT, TITLES, Block, blocks, pages

COMMANDS = dict(commands())
EVERY = [block for page in pages() for block in blocks(page)]
WAYS = (
    "batch",
    "online",
    "embedded",
    "as-data",
    "as-a-service",
    "in-a-database",
    "recreate",
    "rolling",
    "blue-green",
    "canary",
    "ab-test",
    "shadow",
)
SOURCES = ("app", "cli", "platforms", "impact", "loadtest", "strategies")


def typed(block: Block) -> list[list[str]]:
    """The words of each `labctl` in a block, without what the shell does around it."""
    # all of it at once, as a word in quotes may go over several lines
    lexer = shlex.shlex("\n".join([*block.commands, ""]), posix=True, punctuation_chars=";|&<>()\n")
    lexer.whitespace, lexer.commenters, lexer.whitespace_split = " \t", "", True
    found: list[list[str]] = []
    words: list[str] = []
    # an operator ends a command, as does the number of a file before one (2>)
    for word in lexer:
        if not re.fullmatch(r"[;|&<>()\n]+", word):
            words.append(word)
            continue
        if "labctl" in words:
            found.append(words[words.index("labctl") : -1 if ">" in word and words[-1] in {"1", "2"} else None])
        words = []
    return found


def inline() -> list[tuple[str, list[str]]]:
    """Every `labctl ...` that stands in a sentence; a word in capitals or in brackets stands for something."""
    found = []
    for page in pages():
        if page.parent.name in {"reference", "measured"}:
            continue
        text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
        name = str(page.relative_to(PROJECT))
        found += [(name, shlex.split(re.sub(r"[\[\]]|\|\S*|…", "", words))) for words in re.findall(r"`(labctl [^`\n]+)`", text)]
    return found


def command_of(words: list[str]) -> tuple[TyperCommand | None, list[str]]:
    """The command that the first words name, and the rest of them; a group by itself is known too."""
    for length in (3, 2):
        if command := COMMANDS.get(" ".join(words[:length])):
            return command, words[length:]
    known_group = any(name.startswith(" ".join(words[:2]) + " ") for name in COMMANDS)
    assert known_group or words[1].startswith("-"), f"there is no {' '.join(words)!r}"
    return None, []


def check(words: list[str], place: str) -> None:
    """Each option exists, and has a value that can be read where it takes one."""
    command, rest = command_of(words)
    if command is None:
        return
    options = {name: one for one in parameters(command) if isinstance(one, TyperOption) for name in one.opts}
    arguments = 0
    while rest:
        word, *rest = rest
        if not word.startswith("-"):
            arguments += 1
            continue
        assert word in options or word == "--help", f"{place}: {' '.join(words)!r} has no option {word}"
        option = options.get(word)
        if option is not None and not option.is_flag:
            assert len(rest) >= option.nargs, f"{place}: {word} of {' '.join(words)!r} has no value"
            rest = rest[option.nargs :]
    most = sum(100 if one.nargs < 0 else one.nargs for one in parameters(command) if isinstance(one, TyperArgument))
    assert arguments <= most, f"{place}: {' '.join(words)!r} has more arguments than the command takes"


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(PROJECT)))
def test_every_labctl_in_a_block_exists_with_its_options(page: Path) -> None:
    for block in blocks(page):
        for words in typed(block):
            check(words, block.page)


def test_every_labctl_in_a_sentence_exists_with_its_options() -> None:
    assert len(inline()) > 30
    for place, words in inline():
        check(words, place)


def test_a_command_that_does_not_exist_is_noticed() -> None:
    """Else the tests above could not fail."""
    block = Block(
        "page", "", "X=1 labctl rollout canary --wieght 10 > file 2>&1\npython -c 'a\nb'\nuntil labctl stauts; do sleep 1; done\n"
    )

    first, second = typed(block)

    assert first == ["labctl", "rollout", "canary", "--wieght", "10"]
    with pytest.raises(AssertionError, match="--wieght"):
        check(first, "page")
    with pytest.raises(AssertionError, match="stauts"):
        check(second, "page")


def test_every_block_says_what_it_needs_in_known_words() -> None:
    assert {block.title for block in EVERY if not block.page.startswith("README")} == set(TITLES)


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    named = {words for page in pages() for words in re.findall(r"(?:`|^)make ([a-z0-9-]+)", page.read_text(), re.MULTILINE)}

    assert named <= targets
    assert len(named) > 3


def test_every_command_is_on_a_page_that_people_write() -> None:
    written = "".join(page.read_text() for page in pages() if page.parent.name not in {"reference", "measured"})

    assert [name for name in COMMANDS if name not in written] == []


def test_every_variable_that_the_code_reads_is_in_the_reference() -> None:
    text = "".join(path.read_text() for folder in SOURCES for path in (PROJECT / folder).rglob("*.py"))
    read = set(re.findall(r"\b(?:LAB|MODEL_API|MODEL_PAGES)_[A-Z0-9]+(?:_[A-Z0-9]+)*\b", text))

    assert read - settings.names() == set()


def test_what_is_committed_is_what_would_be_made() -> None:
    assert generated.drift() == ""


def test_no_page_loads_anything_from_another_server() -> None:
    """Links may lead away; pictures, scripts and styles must not."""
    for page in pages():
        text = page.read_text()
        assert not re.search(r"!\[[^\]]*\]\(https?:|<(?:img|script|link|iframe)\b[^>]*https?:", text), page


def test_a_link_out_of_the_pages_is_shown_by_its_words_and_a_broken_one_stays() -> None:
    text = "See [the chart](../charts/lab/values.yaml), [no such](../nothing.yaml), [security](security.md) and ![a picture](../README.md)."

    shown = without_links_out(text, PROJECT / "docs")

    assert shown == "See the chart, [no such](../nothing.yaml), [security](security.md) and ![a picture](../README.md)."


def test_every_page_is_in_the_table_of_contents() -> None:
    listed = set(re.findall(r": ([\w/-]+\.md)$", (PROJECT / "mkdocs.yml").read_text(), re.MULTILINE))
    there = {str(page.relative_to(PROJECT / "docs")) for page in pages() if page.name != "README.md"}

    assert {page for page in there if not page.startswith(("measured/", "pictures/"))} == listed


@pytest.mark.parametrize("way", WAYS)
def test_each_way_of_predicting_serving_and_deploying_is_told_in_full(way: str) -> None:
    """What it is, ours, how to run it, when to choose it, and figures that a run wrote."""
    text = (PROJECT / "docs" / "tutorial" / f"{way}.md").read_text()

    assert re.search(r"^\*\*[^*]+\*\*", text, re.MULTILINE)
    assert all(f"\n## {title}\n" in text for title in ("Run it yourself", "When to choose it", "What it cost"))
    assert '--8<-- "docs/measured/' in text.partition("## What it cost")[2]
    assert "```sh" in text


def test_each_way_has_a_picture_of_a_real_run_that_no_other_page_has() -> None:
    shown = {way: _pictures(PROJECT / "docs" / "tutorial" / f"{way}.md") for way in WAYS}

    for way, own in shown.items():
        others = {picture for other, pictures in shown.items() if other != way for picture in pictures}
        assert own - others, f"{way} has no picture of its own"
        assert [picture for picture in own if not picture.is_file()] == []


def _pictures(page: Path) -> set[Path]:
    """Those on a page, and on what is put into it."""
    text = page.read_text()
    for included in re.findall(r'--8<-- "(docs/pictures/[^":]+)"', text):
        text += (PROJECT / included).read_text()
    # what is put in has its links as from the page
    return {(page.parent / name).resolve() for name in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text)}


def test_every_picture_stands_alone_is_small_and_says_what_it_shows() -> None:
    pictures = sorted((PROJECT / "docs" / "pictures").glob("*.svg"))

    assert len(pictures) > 20
    for picture in pictures:
        text = picture.read_text()
        assert picture.stat().st_size < LARGEST
        assert "<title>" in text
        # neither a colour that only a report's page has, nor anything from elsewhere
        assert "var(--" not in text
        assert not re.search(r'(href|src)="(?!#)', text), picture
