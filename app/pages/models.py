"""The models that the pages' own process has loaded, each once: they live as long as the process does."""

from functools import cache
from pathlib import Path

import streamlit as st

from app.artifact import MODELS, Artifact, read
from app.choice import Choice, read_choice
from app.loading import load_from
from app.model import Model
from app.pages.configuration import Configuration
from app.store import load, read_card, versions
from app.stores.listing import Listing, listed
from app.stores.published import PublishedStore

SECONDS_FRESH = 30.0
"""How long a list of published versions is shown again; what it tells of a version never changes."""


def artifact_models() -> Path:
    """The model store inside the artifact."""
    return Configuration.from_environment().artifact / MODELS


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


@st.cache_resource(show_spinner="Checking the artifact")
def artifact(folder: Path) -> Artifact:
    """An artifact, checked when it is first asked for.

    Raises:
        StoreRefused: it is none, or damaged.
    """
    return read(folder)


@st.cache_resource(show_spinner="Loading the model")
def contained(folder: Path, name: str) -> Model:  # noqa: ARG001  another name is another artifact
    """The model in an artifact, loaded and checked when it is first asked for.

    Raises:
        UnknownVersion, StoreRefused: it is missing, or cannot be loaded.
    """
    return load(folder / MODELS, read(folder).model)


@st.cache_resource(show_spinner="Loading the model")
def trained(store: str, version: str, sha256: str) -> Model:
    """A version of a model store, loaded and checked when it is first asked for; one that was trained anew is another one.

    Raises:
        UnknownVersion, StoreRefused: there is no such version, or it cannot be loaded.
    """
    return load_from(store, version, sha256)


@cache
def published(config: Path) -> tuple[Choice, Model]:
    """The model that a configuration file chose when the pages started, or when it could first be had; a change needs a restart.

    Not in Streamlit's cache, which is only for what runs within a page: the pages' start asks for it before there is one.

    Raises:
        BadConfiguration: the file chooses no model.
        UnknownVersion, StoreRefused: the store does not have it, or has another one of that name.
    """
    choice, fetched = read_choice(config), Configuration.from_environment().fetched
    return choice, load_from(choice.store if fetched is None else str(fetched), choice.version, choice.sha256)
