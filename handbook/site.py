"""What the site's generator asks while it builds: pages link to files of the project, which a reader of the site does not have.

A link that leads out of docs/ to a file that exists is shown by its words alone. One that leads to nothing stays, so that
the build fails and names it.
"""

import re
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[1] / "docs"
LINK = re.compile(r"(?<!!)\[([^\]\n]+)\]\((\.\.?/[^)#\s]+)(?:#[^)\s]*)?\)")


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """The page's text before it is rendered (MkDocs' event of that name)."""
    return without_links_out(markdown, (DOCS / str(page.file.src_uri)).parent)


def without_links_out(markdown: str, folder: Path) -> str:
    """Text of a page in `folder`, with links out of docs/ to what exists replaced by their words."""

    def shown(link: re.Match[str]) -> str:
        target = (folder / link[2]).resolve()
        return link[1] if target.exists() and not target.is_relative_to(DOCS.resolve()) else link[0]

    return LINK.sub(shown, markdown)
