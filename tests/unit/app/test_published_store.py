"""A published store, in a folder and on a real S3 server: whole versions or none, that never change and are what they say."""

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from app.card import ModelCard
from app.errors import BadConfiguration, StoreRefused, UnknownVersion
from app.store import load, read_card, read_model
from app.stores.opening import open_store
from app.stores.published import PublishedStore
from tests.ports import free_port


@pytest.fixture(params=["folder", "file", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    match request.param:
        case "folder":
            return str(tmp_path / "published")
        case "file":
            return f"file://{tmp_path / 'published'}"
        case _:
            return f"{request.getfixturevalue('bucket')}/published"


@pytest.fixture
def v1(store: Path) -> tuple[ModelCard, bytes]:
    card = read_card(store, "v1")
    return card, read_model(store, card)


def exchanged(card: ModelCard) -> tuple[ModelCard, bytes]:
    """The same version with another payload."""
    other = b"another model"
    return card.model_copy(update={"sha256": hashlib.sha256(other).hexdigest()}), other


def change(url: str, path: str, content: bytes | None) -> None:
    """Write or, with None, remove a file of a store behind its back."""
    files, root = open_store(url)
    if content is None:
        files.rm_file(f"{root}/{path}")
    else:
        files.pipe_file(f"{root}/{path}", content)


def test_what_was_published_is_what_is_fetched(url: str, v1: tuple[ModelCard, bytes]) -> None:
    card, model = v1

    assert PublishedStore(url).publish(card, model)

    fetched = PublishedStore(url).card("v1")
    assert fetched == card
    assert PublishedStore(url).model(fetched) == model
    assert PublishedStore(url).versions() == ["v1"]


def test_a_published_version_never_changes(url: str, v1: tuple[ModelCard, bytes]) -> None:
    store = PublishedStore(url)
    store.publish(*v1)

    assert not store.publish(*v1)
    with pytest.raises(StoreRefused, match="a published version never changes"):
        store.publish(*exchanged(v1[0]))

    assert store.model(store.card("v1")) == v1[1]


def test_of_many_publishers_at_once_exactly_one_wins(url: str, v1: tuple[ModelCard, bytes]) -> None:
    card, _ = v1

    def publish(number: int) -> bool:
        model = f"model {number}".encode()
        try:
            return PublishedStore(url).publish(card.model_copy(update={"sha256": hashlib.sha256(model).hexdigest()}), model)
        except StoreRefused:
            return False

    with ThreadPoolExecutor(6) as pool:
        won = list(pool.map(publish, range(6)))

    assert won.count(True) == 1
    assert PublishedStore(url).model(PublishedStore(url).card("v1")) == f"model {won.index(True)}".encode()


def test_a_half_uploaded_version_is_none_and_publishing_again_completes_it(url: str, v1: tuple[ModelCard, bytes]) -> None:
    """The card is written last, so a publisher that was killed leaves a payload without one."""
    card, model = v1
    store = PublishedStore(url)
    store.publish(card, model)
    change(url, "v1/model.json", None)

    with pytest.raises(UnknownVersion, match="has no version v1"):
        store.card("v1")
    assert store.versions() == []

    assert store.publish(card, model)
    assert store.model(store.card("v1")) == model


def flipped(model: bytes) -> bytes:
    """As long as before, with one bit that is another."""
    return b"".join((model[:1000], bytes([model[1000] ^ 1]), model[1001:]))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda _: None, "has a card and no payload"),
        (lambda _: b"cut off", "its sha256 differs"),
        (flipped, "its sha256 differs.*: publish it again"),
    ],
)
def test_a_missing_or_damaged_payload_is_refused_and_publishing_again_mends_it(
    url: str, v1: tuple[ModelCard, bytes], damage: Callable[[bytes], bytes | None], said: str
) -> None:
    card, model = v1
    store = PublishedStore(url)
    store.publish(card, model)
    change(url, f"v1/{card.sha256}.joblib", damage(model))

    with pytest.raises(StoreRefused, match=said):
        store.model(store.card("v1"))

    assert store.publish(card, model)
    assert store.model(store.card("v1")) == model
    assert not store.publish(card, model)


@pytest.mark.parametrize("content", [b"{", b" " * (2 << 20)])
def test_a_card_that_is_none_is_refused(url: str, v1: tuple[ModelCard, bytes], content: bytes) -> None:
    PublishedStore(url).publish(*v1)
    change(url, "v1/model.json", content)

    with pytest.raises(StoreRefused, match="is no model card"):
        PublishedStore(url).card("v1")


def test_missing_version_or_store_is_said(url: str) -> None:
    with pytest.raises(UnknownVersion, match="has no version v9"):
        PublishedStore(url).card("v9")
    with pytest.raises(StoreRefused, match="cannot be a version"):
        PublishedStore(url).card("../v1")
    with pytest.raises(StoreRefused, match="there is no store"):
        PublishedStore(f"{url}-elsewhere/deeper").versions()


def test_a_folder_is_served_as_training_left_it_and_as_publishing_did(store: Path, tmp_path: Path, v1: tuple[ModelCard, bytes]) -> None:
    assert PublishedStore(str(store)).model(PublishedStore(str(store)).card("v1")) == v1[1]

    PublishedStore(str(tmp_path)).publish(*v1)
    assert load(tmp_path, "v1").card == v1[0]


def test_a_store_that_is_down_is_one_sentence(bucket: str, monkeypatch: pytest.MonkeyPatch, v1: tuple[ModelCard, bytes]) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    store = PublishedStore(bucket)
    asked: list[Any] = [lambda: store.card("v1"), store.versions, lambda: store.model(v1[0]), lambda: store.publish(*v1)]

    for ask in asked:
        with pytest.raises(StoreRefused, match="cannot be used") as refused:
            ask()
        assert "\n" not in str(refused.value)


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path, v1: tuple[ModelCard, bytes]) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StoreRefused, match="cannot be used"):
        PublishedStore(str(tmp_path / "file")).publish(*v1)


def test_a_url_of_no_known_kind_is_one_sentence() -> None:
    with pytest.raises(BadConfiguration, match="is no model store"):
        PublishedStore("gopher://models")
