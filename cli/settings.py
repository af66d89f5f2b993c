"""Where things are: from the environment, else in the folder that labctl is started in."""

import os
from pathlib import Path

import msgspec


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Folders.

    Attributes:
        home: the lab's state, configuration and logs (`LAB_HOME`).
        runs: a folder per run (`LAB_RUNS`).
        store: the model store (`LAB_STORE`).
    """

    home: Path
    runs: Path
    store: Path


def settings() -> Settings:
    """The folders, absolute: the lab's processes outlive the folder that labctl was started in."""
    return Settings(
        home=Path(os.environ.get("LAB_HOME", ".lab")).resolve(),
        runs=Path(os.environ.get("LAB_RUNS", "runs")).resolve(),
        store=Path(os.environ.get("LAB_STORE", "models")).resolve(),
    )
