"""The entry of the pages: `streamlit run` starts this file, for every visitor and after every click anew."""

from importlib import import_module
from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from app.errors import AppError
from app.pages import start
from app.pages.configuration import Configuration
from app.pages.showing import problem

PAGES = {
    "embedded": ("embedded", "Embedded model", ":material/inventory_2:"),
    "data": ("as_data", "Model published as data", ":material/cloud_download:"),
    "service": ("service", "Model as a service", ":material/api:"),
    "database": ("in_database", "Predictions in a database", ":material/database:"),
    "side-by-side": ("side_by_side", "Side by side", ":material/compare_arrows:"),
}
"""By its place in the address each page's module, title and icon."""
ICON = Path(__file__).with_name("icon.svg")
"""Of our own: an icon by name would be fetched from its publisher's server."""


def main() -> None:
    """Show the page that the visitor has chosen."""
    st.set_page_config(page_title="Serving a model", page_icon=str(ICON), layout="centered")
    try:
        configuration = Configuration.from_environment()
    except AppError as exc:
        problem(exc)
        return
    if configuration.show != "all":
        st.navigation([_page(configuration.show, alone=True)]).run()
        return
    ways = [_page(name) for name in PAGES]
    first = st.Page(lambda: start.page(ways), title="Start", icon=":material/home:", url_path="start", default=True)
    st.navigation([first, *ways]).run()


def _page(name: str, *, alone: bool = False) -> StreamlitPage:
    module, title, icon = PAGES[name]
    # when it is shown and not before: a server of one page is not to hold what only the others need
    show = import_module(f"app.pages.{module}").page
    # the default page's address is that of the site, whatever path it is given
    return st.Page(show, title=title, icon=icon, url_path=name, default=alone)


if __name__ == "__main__":
    main()
