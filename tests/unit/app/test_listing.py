"""What a store has, however many versions that are: all of them, in order, many cards at a time, and a damaged one apart."""

import threading
from collections import Counter
from pathlib import Path

import pytest

from app.card import ModelCard
from app.errors import StoreRefused, UnknownVersion
from app.store import read_card
from app.stores.__main__ import main
from app.stores.listing import AT_ONCE, listed
from app.stores.opening import open_store
from app.stores.published import PublishedStore


@pytest.fixture
def card(store: Path) -> ModelCard:
    return read_card(store, "v1")


def fill(url: str, card: ModelCard, many: int) -> list[str]:
    """The names of so many versions, of which the listing needs no payload; a half-uploaded one and a file that is none lie beside."""
    names = [f"v{number}" for number in range(many)]
    files, root = open_store(url)
    text = card.model_dump_json().encode()
    for name in (*names, "half"):
        files.makedirs(f"{root}/{name}", exist_ok=True)
    files.pipe({f"{root}/{name}/model.json": text for name in names} | {f"{root}/half/0.joblib": b"0", f"{root}/notes.txt": b"0"})
    return names


def test_a_thousand_versions_in_a_folder_are_all_told_in_order(tmp_path: Path, card: ModelCard) -> None:
    names = fill(f"file://{tmp_path}", card, 1000)

    found = PublishedStore(str(tmp_path)).listing()

    assert list(found.cards) == sorted(names)
    assert all(one.version == name for name, one in found.cards.items())
    assert found.refused == {}


def test_hundreds_of_versions_on_s3_take_one_request_each_and_one_for_their_names(bucket: str, card: ModelCard) -> None:
    names = fill(bucket, card, 300)
    store = PublishedStore(bucket)
    asked: Counter[str] = Counter()
    store._files.connect()
    store._files.s3.meta.events.register("before-call.s3", lambda model, **_: asked.update([model.name]))

    assert list(store.listing().cards) == sorted(names)

    # the half-uploaded one has no card to get
    assert asked == {"ListObjectsV2": 1, "GetObject": len(names) + 1}


def test_cards_are_read_many_at_a_time(card: ModelCard) -> None:
    together = threading.Barrier(AT_ONCE)

    def read(name: str) -> ModelCard:
        # fails if the others are not asked for meanwhile
        together.wait(30)
        return card

    assert len(listed([f"v{number}" for number in range(2 * AT_ONCE)], read).cards) == 2 * AT_ONCE


def test_a_store_that_goes_down_is_told_once_and_not_asked_for_all_the_rest(card: ModelCard) -> None:
    asked, never = [], threading.Event()

    def read(name: str) -> ModelCard:
        asked.append(name)
        if name == "v0":
            raise StoreRefused("the store is down")
        never.wait(0.2)
        return card

    with pytest.raises(StoreRefused, match="the store is down"):
        listed([f"v{number}" for number in range(1000)], read)

    assert len(asked) < 1000


def test_a_version_that_is_gone_between_its_name_and_its_card_is_none(card: ModelCard) -> None:
    def read(name: str) -> ModelCard:
        if name == "v1":
            raise UnknownVersion("gone")
        return card

    assert list(listed(["v2", "v1"], read).cards) == ["v2"]


@pytest.mark.parametrize("kind", ["folder", "s3"])
def test_a_damaged_card_is_told_with_exit_code_3_and_the_others_are_listed(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, card: ModelCard, capsys: pytest.CaptureFixture[str]
) -> None:
    url = str(tmp_path / "published") if kind == "folder" else f"{request.getfixturevalue('bucket')}/published"
    fill(url, card, 2)
    files, root = open_store(url)
    files.pipe_file(f"{root}/v1/model.json", b'{"name": "half a ca')

    assert main(["list", "--store", url]) == 3

    said = capsys.readouterr()
    assert [line.split()[0] for line in said.out.splitlines()] == ["v0"]
    assert said.err.count("\n") == 1
    assert said.err.startswith(f"{url}: v1/model.json is no model card (")
    assert PublishedStore(url).versions() == ["v0", "v1"]
