"""The model store: a directory with one directory per version, each of a `model.joblib` and a `model.json`.

Unpickling runs code, so the digest of the bytes is checked first and the very same bytes are unpickled. The digest
tells a damaged, half-copied or exchanged file. It is no signature: who can write both files can write what they like.

A version is called what its directory is called, so a copied directory is a version of its own.
"""

import hashlib
import io
import re
from pathlib import Path

import joblib
from pydantic import ValidationError

from app.card import ModelCard, libraries_here
from app.errors import CardRefused, PredictionFailed, StoreRefused, UnknownVersion
from app.model import Model

MODEL_FILE = "model.joblib"
CARD_FILE = "model.json"
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
"""What a version may be called: one directory name that cannot lead out of the store."""


def versions(store: Path) -> list[str]:
    """What the store holds, by name; nothing if there is no store."""
    return sorted(card.parent.name for card in store.glob(f"*/{CARD_FILE}") if VERSION.fullmatch(card.parent.name))


def check_name(version: str) -> None:
    """Refuse what cannot be a version.

    Raises:
        StoreRefused: it is no plain name, and could lead out of the store.
    """
    if not VERSION.fullmatch(version):
        raise StoreRefused(f"{version!r} cannot be a version: use letters, digits, '.', '_' and '-', at most 63")


def read_card(store: Path, version: str) -> ModelCard:
    """What is told about a version, without touching its model.

    Raises:
        UnknownVersion: there is no such version.
        StoreRefused: there is no such store.
        CardRefused: the card cannot be read.
    """
    check_name(version)
    path = store / version / CARD_FILE
    try:
        content = path.read_bytes()
    except FileNotFoundError as exc:
        if not store.is_dir():
            raise StoreRefused(f"there is no model store at {store}: `labctl model train` makes one, or name another") from exc
        held = ", ".join(versions(store)) or "nothing"
        raise UnknownVersion(f"the store {store} has no version {version} (it holds {held}): train it, or name another") from exc
    except OSError as exc:
        raise CardRefused(f"{path} cannot be read ({exc.strerror}): make it readable, or train {version} again") from exc
    return parse_card(content, version, str(path))


def parse_card(content: bytes, version: str, place: str) -> ModelCard:
    """A card from its bytes; `place` is where they are from, for the sentence if they are no card.

    Raises:
        CardRefused: they are no card.
    """
    try:
        return ModelCard.model_validate_json(content).model_copy(update={"version": version})
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise CardRefused(f"{place} is no model card ({where}: {first['msg']}): train {version} again") from exc


def read_model(store: Path, card: ModelCard) -> bytes:
    """The bytes of a version's model, checked against its card.

    Raises:
        StoreRefused: they are missing, unreadable, or not those that the card tells of.
    """
    # named by its digest where it was published, see app/stores
    by_digest = store / card.version / f"{card.sha256}.joblib"
    path = by_digest if by_digest.is_file() else store / card.version / MODEL_FILE
    try:
        content = path.read_bytes()
    except OSError as exc:
        raise StoreRefused(f"{path} cannot be read ({exc.strerror}): train {card.version} again") from exc
    if hashlib.sha256(content).hexdigest() != card.sha256:
        raise StoreRefused(f"{path} is not the file that {CARD_FILE} tells of (its sha256 differs): train {card.version} again")
    return content


def load(store: Path, version: str) -> Model:
    """Read, check, unpickle and try a version.

    Raises:
        UnknownVersion: there is no such version.
        StoreRefused: it is unreadable, not the file that its card tells of, made by another scikit-learn, or fails
            on its own example.
    """
    card = read_card(store, version)
    check_libraries(card)
    return revive(card, read_model(store, card))


def check_libraries(card: ModelCard) -> None:
    """Refuse a model that this scikit-learn may misread.

    Raises:
        StoreRefused: it was made by another one.
    """
    here = libraries_here()["scikit-learn"]
    if (made_by := card.libraries.get("scikit-learn")) != here:
        raise StoreRefused(f"{card.version} was made by scikit-learn {made_by} and this is {here}: train it again, or install {made_by}")


def revive(card: ModelCard, content: bytes) -> Model:
    """Unpickle bytes whose digest has been checked, and try the model on its example.

    Raises:
        StoreRefused: they cannot be unpickled, or the model fails on its own example.
    """
    try:
        model = Model(card, joblib.load(io.BytesIO(content)))
        model.predict(card.example)
    except PredictionFailed as exc:
        raise StoreRefused(f"{card.version} fails on its own example: train it again ({exc.__cause__})") from exc
    except Exception as exc:  # unpickling raises whatever the pickle's classes raise
        raise StoreRefused(f"the model {card.version} cannot be unpickled ({type(exc).__name__}: {exc}): train it again") from exc
    return model
