"""The first page: the ways of serving a model, each in a sentence, with the way to its page."""

from collections.abc import Sequence

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from app.pages.showing import heading

SENTENCES = {
    "embedded": "Model and code are one artifact, and the page predicts by itself.",
    "data": "The page fetches the model that a configuration file names, and predicts by itself.",
    "service": "The page has no model and asks a service over HTTP.",
    "database": "A batch has predicted beforehand, and the page looks it up.",
    "side-by-side": "Two versions answer the same case.",
}
"""What each page's strategy is, by the page's place in the address."""


def page(pages: Sequence[StreamlitPage]) -> None:
    """Show it, with the way to `pages`."""
    heading(
        "How a model is served",
        "Four ways to answer the same question: is this tumour benign or malignant? The cases are real ones that training never saw. "
        "Each page tells which version answered, who served it, and how long it took.",
    )
    for one in pages:
        st.page_link(one)
        st.caption(SENTENCES[one.url_path])
