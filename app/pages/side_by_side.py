"""Two versions on the same case, in the page's own process."""

import streamlit as st

from app.card import Feature, ModelCard
from app.errors import StoreRefused
from app.pages.asking import InProcess
from app.pages.configuration import Configuration
from app.pages.form import Question, question
from app.pages.models import stored, trained
from app.pages.showing import answered, heading, sentence, sentences


def page() -> None:
    """Show it."""
    heading("Side by side", "Two versions answer the same case. What differs between them is what a rollout would change for this user.")
    with sentences():
        store = Configuration.from_environment().store
        found = stored(store)
        for refusal in found.refused.values():
            st.warning(sentence(refusal), icon=":material/error:")
        cards = found.cards
        if not (names := list(cards)):
            raise StoreRefused("there is no trained version to compare: `labctl model train` makes some")
        with st.container(horizontal=True):
            left = st.selectbox("First version", names, index=names.index("v1") if "v1" in names else 0)
            right = st.selectbox("Second version", names, index=names.index("v2") if "v2" in names else len(names) - 1)
        served = [_served(store, cards[version]) for version in (left, right)]
        features: dict[str, Feature] = {feature.name: feature for one in served for feature in one.features()}
        if asked := question("side-by-side", list(features.values()), "Ask both"):
            for column, one in zip(st.columns(2), served, strict=True):
                with column:
                    _half(one, asked)


def _served(store: str, card: ModelCard) -> InProcess:
    return InProcess(trained(store, card.version, card.sha256), f"{card.version}: {card.idea}")


def _half(one: InProcess, asked: Question) -> None:
    st.subheader(one.model.card.version)
    with sentences():
        answered(asked, one.ask(asked.features))
