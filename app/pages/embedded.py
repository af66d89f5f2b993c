"""The page of the embedded model: it predicts in its own process, with the model that came with its code."""

import streamlit as st

from app.pages.asking import InProcess
from app.pages.configuration import Configuration
from app.pages.form import question
from app.pages.models import artifact, contained
from app.pages.showing import answered, heading, sentences


def page() -> None:
    """Show it."""
    heading(
        "Embedded model",
        "Model and code are one artifact. Nothing else has to run, and nothing can be out of step; but a new model is a new artifact, "
        "and every program that embeds it has to be installed anew.",
    )
    with sentences():
        folder = Configuration.from_environment().artifact
        here = artifact(folder)
        st.markdown(f"Artifact **`{here.name}`** with model **{here.model}**, {here.bytes / 1e6:.1f} MB")
        served = InProcess(contained(folder, here.name), f"the page itself: embedded in the artifact {here.name}")
        if asked := question("embedded", served.features()):
            with sentences():
                answered(asked, served.ask(asked.features))
