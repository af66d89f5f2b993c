"""What users were told and whether it was right: their log joined with the prediction log and the feedback. Pure.

A prediction counts for the slot that made it, whoever took the feedback in. A request that failed told its user nothing right.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from impact.prediction_log import Logged
from impact.userlog import Request
from strategies.traffic import Slot

FIRST = 10
"""How many of a user's answers make their observation."""
AT_LEAST = 3
"""Users with fewer answers at the end say too little to count."""


class Answer(NamedTuple):
    """What came of one request of a user."""

    user: int
    slot: Slot
    right: bool


class Stickiness(NamedTuple):
    """How many users met a version, and how many of them met both."""

    users: int
    met_both: int


def answers(requests: Sequence[Request], predictions: Mapping[str, Logged], truths: Mapping[str, str], *, final: bool) -> list[Answer]:
    """The answers in the order of the users' log.

    A user's answers count up to the first whose prediction or truth has not come yet: were later ones counted before it, the
    user's first answers would be others at the next look. At the end (`final`) what has not come is left out.

    Args:
        requests: of the users' log.
        predictions: by request id, without mirrored ones.
        truths: by request id.
        final: whether nothing more will come.
    """
    found: list[Answer] = []
    waiting: set[int] = set()
    for request in requests:
        if request.unsent or request.unattributed or request.user in waiting:
            continue
        if request.failed and request.slot is not None:
            found.append(Answer(request.user, request.slot, right=False))
            continue
        predicted, truth = predictions.get(request.request_id), truths.get(request.request_id)
        if predicted is not None and truth is not None:
            found.append(Answer(request.user, predicted.slot, right=predicted.prediction == truth))
        elif not final:
            waiting.add(request.user)
    return found


def observations(found: Iterable[Answer], *, final: bool) -> dict[Slot, list[float]]:
    """One observation per user, by the slot of their first answer: the share (0..1) right of their first ten answers.

    They are in the order in which they became complete. At the end (`final`) users with three to nine answers follow.
    """
    slots: dict[int, Slot] = {}
    rights: dict[int, list[bool]] = {}
    complete: dict[Slot, list[float]] = {slot: [] for slot in Slot}
    for answer in found:
        slot = slots.setdefault(answer.user, answer.slot)
        right = rights.setdefault(answer.user, [])
        if len(right) < FIRST:
            right.append(answer.right)
            if len(right) == FIRST:
                complete[slot].append(sum(right) / FIRST)
    if final:
        for user, right in rights.items():
            if AT_LEAST <= len(right) < FIRST:
                complete[slots[user]].append(sum(right) / len(right))
    return complete


def assigned(requests: Iterable[Request]) -> dict[int, Slot]:
    """The slot that each user was given first; for the check of the sample ratio."""
    slots: dict[int, Slot] = {}
    for request in requests:
        if request.slot is not None:
            slots.setdefault(request.user, request.slot)
    return slots


def stickiness(requests: Iterable[Request]) -> Stickiness:
    """How well users stayed where they were first sent, by the slots that were chosen for them."""
    met: dict[int, set[Slot]] = {}
    for request in requests:
        if request.slot is not None:
            met.setdefault(request.user, set()).add(request.slot)
    return Stickiness(len(met), sum(_both(slots) for slots in met.values()))


def _both(slots: Collection[Slot]) -> bool:
    return len(slots) > 1
