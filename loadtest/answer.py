"""What an answer to a user says, and what counts as a failure."""

import json
from typing import NamedTuple


class Answer(NamedTuple):
    """What a user got, in the words of the users' log (strategies.userlog.Row)."""

    status: int = 0
    failure: str = ""
    slot: str = ""
    version: str = ""
    predicted: str = ""


def read_answer(status: int, slot: str, version: str, body: bytes) -> Answer:
    """The answer of HTTP status `status`; without a 2xx, or without a prediction in it, it is a failure."""
    predicted = _prediction(body) if 200 <= status < 300 else ""
    return Answer(status, "" if predicted else "status", slot, version, predicted)


def _prediction(body: bytes) -> str:
    """The class that a JSON body names, empty if it names none."""
    try:
        match json.loads(body):
            # a name with a line break in it would tear the log's lines
            case {"prediction": str(name)} if name.isprintable():
                return name
    except (ValueError, RecursionError):
        pass
    return ""
