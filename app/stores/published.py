"""A published store: `<version>/<sha256>.joblib`, the payload, and `<version>/model.json`, the card that makes it a version.

The payload is written first and under its digest, the card last and only if there is none: a reader meets a whole version
or none, whenever a writer is killed and however many write at once, and what is published never changes. The digest in the
card is the store's manifest: no byte of a payload that differs from it is unpickled.

A folder that training wrote is read as well; there the payload is called `model.joblib`.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from fsspec.implementations.local import LocalFileSystem

from app.card import ModelCard
from app.errors import StoreRefused, UnknownVersion
from app.store import CARD_FILE, MODEL_FILE, VERSION, check_name, parse_card
from app.stores.listing import Listing, listed
from app.stores.opening import open_store, reaching

LONGEST_CARD = 1 << 20
"""Bytes. A card has a few thousand; whatever is longer is something else, and not read to its end."""


class PublishedStore:
    """The versions behind one URL. Never lists the store unless asked to: it may hold very many.

    Attributes:
        url: as it was given, for sentences.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._files, self._root = open_store(url)

    def versions(self) -> list[str]:
        """What is published, by name, a version whose card is damaged as well.

        Raises:
            StoreRefused: the store does not exist or cannot be reached.
        """
        found = self.listing()
        return sorted([*found.cards, *found.refused])

    def listing(self) -> Listing:
        """What is told of each version, by one request for the names and one for each of them.

        Raises:
            StoreRefused: the store does not exist or cannot be reached.
        """
        with reaching(self.url):
            try:
                entries = self._files.ls(self._root, detail=True, refresh=True)
            except FileNotFoundError as exc:
                raise StoreRefused(f"there is no store at {self.url}: `labctl model publish` makes it, in a bucket that exists") from exc
        names = (str(entry["name"]).rstrip("/").rpartition("/")[2] for entry in entries if entry["type"] == "directory")
        return listed(filter(VERSION.fullmatch, names), self.card)

    def card(self, version: str) -> ModelCard:
        """What is told about a version.

        Raises:
            UnknownVersion: it is not published here; a half-uploaded one is not.
            StoreRefused: the store cannot be reached.
            CardRefused: the card is damaged.
        """
        check_name(version)
        place = self._place(version, CARD_FILE)
        with reaching(self.url):
            try:
                content = self._files.cat_file(place, start=0, end=LONGEST_CARD)
            except FileNotFoundError as exc:
                raise UnknownVersion(
                    f"the store {self.url} has no version {version}: `labctl model publish` puts it there, `model list` says what it has"
                ) from exc
        return parse_card(content, version, f"{self.url}: {version}/{CARD_FILE}")

    def model(self, card: ModelCard) -> bytes:
        """The payload that a card tells of, checked against the card's digest.

        Raises:
            StoreRefused: it is missing or another one, or the store cannot be reached.
        """
        with reaching(self.url):
            content = self._payload(card)
        if hashlib.sha256(content).hexdigest() != card.sha256:
            raise StoreRefused(
                f"{self.url}: the payload of {card.version} is not what its card tells of (its sha256 differs): publish it again"
            )
        return content

    def _payload(self, card: ModelCard) -> bytes:
        for name in (f"{card.sha256}.joblib", MODEL_FILE):
            try:
                return bytes(self._files.cat_file(self._place(card.version, name)))
            except FileNotFoundError:
                continue
        raise StoreRefused(f"{self.url}: {card.version} has a card and no payload: publish it again from where it was trained")

    def publish(self, card: ModelCard, model: bytes) -> bool:
        """Put a version into the store, or its payload alone if that was missing or damaged; False if all of it was there already.

        Raises:
            StoreRefused: it is there with another payload, or the store cannot be written.
        """
        check_name(card.version)
        with reaching(self.url):
            known = self._is_known(card)
            written = self._put_payload(self._place(card.version, f"{card.sha256}.joblib"), model)
            if known:
                return written
            try:
                self._create(self._place(card.version, CARD_FILE), card.model_dump_json(indent=2).encode() + b"\n")
            except FileExistsError:
                # another publisher was quicker
                return not self._is_known(card)
        return True

    def _is_known(self, card: ModelCard) -> bool:
        try:
            there = self.card(card.version)
        except UnknownVersion:
            return False
        if there.sha256 != card.sha256:
            raise StoreRefused(
                f"{self.url} has another {card.version} (sha256 {there.sha256[:12]}…, this one is {card.sha256[:12]}…): "
                "a published version never changes, so publish this one under another name"
            )
        return True

    def _put_payload(self, place: str, model: bytes) -> bool:
        with suppress(FileNotFoundError):
            # to the last byte: a disk may have damaged one, and publishing again is how that is mended
            if self._files.cat_file(place) == model:
                return False
        if isinstance(self._files, LocalFileSystem):
            _write_local(place, model, os.replace)
        else:
            self._files.pipe_file(place, model)
        return True

    def _create(self, place: str, content: bytes) -> None:
        """Write a file that must not exist yet: a put with `If-None-Match: *` on S3, a hard link in a folder."""
        if isinstance(self._files, LocalFileSystem):
            _write_local(place, content, os.link)
        else:
            self._files.pipe_file(place, content, mode="create")

    def _place(self, version: str, name: str) -> str:
        return f"{self._root}/{version}/{name}"


def _write_local(place: str, content: bytes, put: Callable[[Path, Path], None]) -> None:
    """Write a file beside its place, whole and to the disk, and `put` it there."""
    path = Path(place)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".writing-") as scratch:
        beside = Path(scratch, path.name)
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.chmod(0o644)
        put(beside, path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
