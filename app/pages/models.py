"""The models that the pages' own process has loaded, each once: they live as long as the process does."""

from pathlib import Path

import streamlit as st

from app.artifact import MODELS, Artifact, read
from app.choice import Choice, read_choice
from app.loading import load_from
from app.model import Model
from app.pages.configuration import Configuration
from app.store import load


def artifact_models() -> Path:
    """The model store inside the artifact."""
    return Configuration.from_environment().artifact / MODELS


@st.cache_resource(show_spinner="Checking the artifact")
def artifact(folder: Path) -> Artifact:
    """An artifact, checked when it is first asked for.

    Raises:
        StoreRefused: it is none, or damaged.
    """
    return read(folder)


@st.cache_resource(show_spinner="Loading the model")
def trained(store: Path, version: str, sha256: str) -> Model:  # noqa: ARG001  the digest makes a version that was trained anew another one
    """A version of a model store, loaded and checked when it is first asked for.

    Raises:
        StoreRefused: there is no such version, or it cannot be loaded.
    """
    return load(store, version)


@st.cache_resource(show_spinner="Fetching the model")
def published(config: Path) -> tuple[Choice, Model]:
    """The model that a configuration file chose when it was first asked for; a change of the file needs a restart.

    Raises:
        BadConfiguration: the file chooses no model.
        UnknownVersion, StoreRefused: the store does not have it, or has another one of that name.
    """
    choice = read_choice(config)
    return choice, load_from(choice.store, choice.version, choice.sha256)
