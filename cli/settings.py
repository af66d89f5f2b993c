"""Where things are: from the environment, else in the folder that labctl is started in."""

import os
from pathlib import Path

import msgspec

SQLITE = "sqlite:///"
DATABASE = f"{SQLITE}predictions.db"
"""Where batches write their predictions if nothing else is said."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Folders.

    Attributes:
        home: the lab's state, configuration and logs (`LAB_HOME`).
        runs: a folder per run (`LAB_RUNS`).
        store: the model store (`LAB_STORE`).
        database: the URL of what `labctl predict batch` fills and the replicas of a lab on this machine show; empty for none.
    """

    home: Path
    runs: Path
    store: Path
    database: str = ""


def settings() -> Settings:
    """The folders, absolute: the lab's processes outlive the folder that labctl was started in."""
    return Settings(
        home=Path(os.environ.get("LAB_HOME", ".lab")).resolve(),
        runs=Path(os.environ.get("LAB_RUNS", "runs")).resolve(),
        store=Path(os.environ.get("LAB_STORE", "models")).resolve(),
        database=_absolute(os.environ.get("LAB_DATABASE") or DATABASE),
    )


def _absolute(url: str) -> str:
    """A URL whose file, if it is that of SQLite, is found from any folder."""
    return f"{SQLITE}{Path(url.removeprefix(SQLITE)).resolve()}" if url.startswith(SQLITE) else url
