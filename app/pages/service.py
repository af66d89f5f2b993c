"""The page of the model as a service: it has no model, and asks one over HTTP."""

import streamlit as st

from app.pages.calling import Service
from app.pages.configuration import Configuration
from app.pages.form import question
from app.pages.showing import answered, heading, sentences


@st.cache_resource
def connected(url: str, key: str) -> Service:
    """The service, with the connections that all visitors share."""
    return Service(url, key)


def page() -> None:
    """Show it."""
    heading(
        "Model as a service",
        "The model runs in a service of its own, and whoever needs a prediction asks it over HTTP. A new model is switched in one place, "
        "for everybody at once; but every prediction needs the network, and the service to be up.",
    )
    configuration = Configuration.from_environment()
    with sentences():
        served = connected(configuration.api, configuration.api_key.get_secret_value())
        if asked := question("service", served.features()):
            with sentences():
                answered(asked, served.ask(asked.features))
    st.button("Ask the service again", help="After an error, or to see whether it serves another version now")
