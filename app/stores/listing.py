"""What a store has: the card of every version, read many at a time, as each may be a request to a server far away."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from app.card import ModelCard
from app.errors import CardRefused, UnknownVersion

AT_ONCE = 16
"""Cards that are asked for at the same time."""


@dataclass(frozen=True)
class Listing:
    """The versions of a store, by name.

    Attributes:
        cards: what is told of each.
        refused: of each whose card is damaged, why it cannot be told of; it keeps none of the others from being listed.
    """

    cards: dict[str, ModelCard]
    refused: dict[str, str]


def listed(names: Iterable[str], read: Callable[[str], ModelCard]) -> Listing:
    """Ask `read` for the card of each name; one that has none is no version, and left out.

    Raises:
        StoreRefused: the store itself cannot be read any more; what has not been asked for by then is not.
    """

    def ask(name: str) -> ModelCard | str | None:
        try:
            return read(name)
        except UnknownVersion:
            return None
        except CardRefused as refused:
            return str(refused)

    every = sorted(names)
    pool = ThreadPoolExecutor(AT_ONCE)
    try:
        found = dict(zip(every, pool.map(ask, every), strict=True))
    finally:
        # else a store that is down would be asked for all the others as well
        pool.shutdown(cancel_futures=True)
    return Listing(
        cards={name: one for name, one in found.items() if isinstance(one, ModelCard)},
        refused={name: one for name, one in found.items() if isinstance(one, str)},
    )
