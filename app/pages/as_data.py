"""The page of the model published as data: it fetches the model that a configuration file names, and predicts in its own process."""

import streamlit as st

from app.choice import read_choice
from app.pages.asking import InProcess
from app.pages.configuration import Configuration
from app.pages.form import question
from app.pages.models import published
from app.pages.showing import answered, heading, sentences


def page() -> None:
    """Show it."""
    heading(
        "Model published as data",
        "The model lies in a store, and a configuration file names its version and digest. A program fetches it at its start and predicts "
        "by itself from then on. A new model is a changed line and a restart; the program stays as it is.",
    )
    config = Configuration.from_environment().config
    with sentences():
        chosen, model = published(config)
        st.markdown(f"**{chosen.version}** from `{chosen.store}`, sha256 `{model.card.sha256[:12]}…`")
        served = InProcess(model, f"the page itself, with {chosen.version} from {chosen.store}")
        if asked := question("data", served.features()):
            with sentences():
                answered(asked, served.ask(asked.features))
        with sentences():
            if (now := read_choice(config)) != chosen:
                st.info(f"{config} names **{now.version}** by now: restart the pages, and they serve it.")
