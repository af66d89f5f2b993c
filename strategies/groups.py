"""Which of the lab's users belong to a group: at random by seed, and the same for whoever asks."""

import hashlib
from collections.abc import Callable

from strategies.run import LoadOptions


def in_group(user: int, share: int, seed: int) -> bool:
    """Whether `user` is among the `share` percent who belong to the group, under `seed`."""
    digest = hashlib.sha256(f"{seed}/{user}".encode()).digest()
    return int.from_bytes(digest[:8]) % 100 < share


def matched_by(load: LoadOptions) -> Callable[[int], bool] | None:
    """Tells whether a user, by number, belongs to the group; None if there is none."""
    if not load.group_header or not load.group_share:
        return None
    return lambda user: in_group(user, load.group_share, load.seed)
