"""What a model store on this machine says of its versions, read without the model API's code."""

import json
from pathlib import Path

from strategies.errors import StoreRefused


def digest(store: Path, version: str) -> str:
    """The sha256 that a version's model must have, wherever it is fetched from.

    Raises:
        StoreRefused: the local `store` does not tell.
    """
    card = store / version / "model.json"
    try:
        return str(json.loads(card.read_bytes())["sha256"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreRefused(f"{card} does not tell the digest of {version} ({error}); `labctl model train`") from error
