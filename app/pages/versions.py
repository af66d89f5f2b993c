"""What a model store has, for the page that sets its versions side by side.

Apart from the models: Streamlit's cache of data is only for what is imported by a page, and the start of the pages loads a model before.
"""

from pathlib import Path

import streamlit as st

from app.store import read_card, versions
from app.stores.listing import Listing, listed
from app.stores.published import PublishedStore

SECONDS_FRESH = 30.0
"""How long a list of published versions is shown again; what it tells of a version never changes."""


def stored(store: str) -> Listing:
    """The versions of a model store, a folder or a URL; nothing if there is no such folder.

    Raises:
        StoreRefused: it cannot be reached.
    """
    if "://" in store:
        return published_versions(store)
    folder = Path(store)
    return listed(versions(folder), lambda version: read_card(folder, version))


@st.cache_data(ttl=SECONDS_FRESH, show_spinner="Reading what the store has")
def published_versions(store: str) -> Listing:
    """What is published behind a URL. Not asked anew at every click: it may be a request for each of very many versions.

    Raises:
        StoreRefused: it cannot be reached; that is not remembered.
    """
    return PublishedStore(store).listing()
