"""The entry of the pages: `streamlit run` starts this file, for every visitor and after every click anew."""

from pathlib import Path

import streamlit as st

from app.errors import AppError
from app.pages import as_data, embedded, in_database, service, side_by_side, start
from app.pages.configuration import Configuration
from app.pages.showing import problem

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
    alone = configuration.show == "embedded"
    # the default page's address is that of the site, whatever path it is given
    pages = [st.Page(embedded.page, title="Embedded model", icon=":material/inventory_2:", url_path="embedded", default=alone)]
    if not alone:
        pages += [
            st.Page(as_data.page, title="Model published as data", icon=":material/cloud_download:", url_path="data"),
            st.Page(service.page, title="Model as a service", icon=":material/api:", url_path="service"),
            st.Page(in_database.page, title="Predictions in a database", icon=":material/database:", url_path="database"),
            st.Page(side_by_side.page, title="Side by side", icon=":material/compare_arrows:", url_path="side-by-side"),
        ]
        ways = list(pages)
        pages.insert(0, st.Page(lambda: start.page(ways), title="Start", icon=":material/home:", url_path="start", default=True))
    st.navigation(pages).run()


if __name__ == "__main__":
    main()
