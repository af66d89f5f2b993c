"""Writing the store so that a reader or a power cut never meets half a version.

Everything is written beside its place, flushed to disk, and renamed. A directory that is not empty cannot be
renamed over, so a version whose content changes is missing for the instant between two renames.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.card import ModelCard
from app.errors import StoreRefused
from app.store import CARD_FILE, MODEL_FILE

HOLDOUT_FILE = "holdout.csv"


def publish(store: Path, card: ModelCard, model: bytes) -> bool:
    """Put a version into the store; False if it was there already with the same content.

    Raises:
        StoreRefused: the store cannot be written.
    """
    content = {MODEL_FILE: model, CARD_FILE: card.model_dump_json(indent=2).encode() + b"\n"}
    place = store / card.version
    with _writing(store), tempfile.TemporaryDirectory(dir=store, prefix=".writing-") as scratch:
        if all((place / name).is_file() and (place / name).read_bytes() == data for name, data in content.items()):
            return False
        new = Path(scratch, "new")
        new.mkdir()
        for name, data in content.items():
            _write(new / name, data)
        _flush(new)
        if place.exists():
            place.rename(Path(scratch, "old"))
        new.rename(place)
        _flush(store)
    return True


def publish_holdout(store: Path, text: str) -> None:
    """Write the users' cases.

    Raises:
        StoreRefused: the store cannot be written.
    """
    with _writing(store), tempfile.TemporaryDirectory(dir=store, prefix=".writing-") as scratch:
        _write(Path(scratch, HOLDOUT_FILE), text.encode())
        Path(scratch, HOLDOUT_FILE).replace(store / HOLDOUT_FILE)
        _flush(store)


@contextmanager
def _writing(store: Path) -> Iterator[None]:
    try:
        store.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as exc:
        raise StoreRefused(f"the store {store} cannot be written ({exc.strerror}): make room or give another with --store") from exc


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _flush(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
