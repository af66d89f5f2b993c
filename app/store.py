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
from app.errors import PredictionFailed, StoreRefused
from app.model import Model

MODEL_FILE = "model.joblib"
CARD_FILE = "model.json"
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
"""What a version may be called: one directory name that cannot lead out of the store."""


def versions(store: Path) -> list[str]:
    """What the store holds, by name; nothing if there is no store."""
    return sorted(card.parent.name for card in store.glob(f"*/{CARD_FILE}") if VERSION.fullmatch(card.parent.name))


def read_card(store: Path, version: str) -> ModelCard:
    """What is told about a version, without touching its model.

    Raises:
        StoreRefused: there is no such version, or its card cannot be read.
    """
    if not VERSION.fullmatch(version):
        raise StoreRefused(f"{version!r} cannot be a version: use letters, digits, '.', '_' and '-', at most 63")
    path = store / version / CARD_FILE
    try:
        return ModelCard.model_validate_json(path.read_bytes()).model_copy(update={"version": version})
    except FileNotFoundError as exc:
        held = ", ".join(versions(store)) or "nothing"
        raise StoreRefused(f"the store {store} has no version {version} (it holds {held}): train it, or name another") from exc
    except OSError as exc:
        raise StoreRefused(f"{path} cannot be read ({exc.strerror}): make it readable, or train {version} again") from exc
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise StoreRefused(f"{path} is no model card ({where}: {first['msg']}): train {version} again") from exc


def load(store: Path, version: str) -> Model:
    """Read, check, unpickle and try a version.

    Raises:
        StoreRefused: it is missing, unreadable, not the file that its card tells of, made by another
            scikit-learn, or fails on its own example.
    """
    card = read_card(store, version)
    here = libraries_here()["scikit-learn"]
    if (made_by := card.libraries.get("scikit-learn")) != here:
        raise StoreRefused(f"{version} was made by scikit-learn {made_by} and this is {here}: train it again, or install {made_by}")
    path = store / version / MODEL_FILE
    try:
        content = path.read_bytes()
    except OSError as exc:
        raise StoreRefused(f"{path} cannot be read ({exc.strerror}): train {version} again") from exc
    if hashlib.sha256(content).hexdigest() != card.sha256:
        raise StoreRefused(f"{path} is not the file that {CARD_FILE} tells of (its sha256 differs): train {version} again")
    try:
        model = Model(card, joblib.load(io.BytesIO(content)))
        model.predict(card.example)
    except PredictionFailed as exc:
        raise StoreRefused(f"{version} fails on its own example: train it again ({exc.__cause__})") from exc
    except Exception as exc:  # unpickling raises whatever the pickle's classes raise
        raise StoreRefused(f"{path} cannot be unpickled ({type(exc).__name__}: {exc}): train {version} again") from exc
    return model
