"""Loading a model from wherever it is: a folder, or a published store behind a URL."""

from pathlib import Path

from app.card import ModelCard
from app.errors import StoreRefused
from app.model import Model
from app.store import check_libraries, read_card, read_model, revive


def load_from(store: str, version: str, sha256: str | None = None) -> Model:
    """Fetch, check, unpickle and try a version.

    Args:
        store: a folder or a URL.
        version: which version.
        sha256: the digest that its payload must have, in hex, if the caller knows better than the store.

    Raises:
        UnknownVersion, StoreRefused, BadConfiguration: as the store says; nothing has been unpickled then, unless it
            is the model itself that fails.
    """
    if "://" not in store:
        # a folder needs none of the store's libraries, whose import would double the time a replica takes to start
        card = read_card(Path(store), version)
        _check(card, sha256)
        return revive(card, read_model(Path(store), card))

    from app.stores.published import PublishedStore  # noqa: PLC0415  see above

    published = PublishedStore(store)
    card = published.card(version)
    _check(card, sha256)
    return revive(card, published.model(card))


def check_digest(card: ModelCard, sha256: str | None) -> None:
    """Refuse a card that tells of another payload than the one that was chosen.

    Raises:
        StoreRefused: its digest is not `sha256`.
    """
    if sha256 is not None and card.sha256 != sha256:
        raise StoreRefused(
            f"the store's {card.version} is another model than the one that was chosen (sha256 {card.sha256[:12]}…, "
            f"not {sha256[:12]}…): choose again with `labctl model use {card.version}` if that is meant"
        )


def _check(card: ModelCard, sha256: str | None) -> None:
    check_digest(card, sha256)
    check_libraries(card)
