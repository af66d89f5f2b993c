"""From a store's URL to a file system, and from the errors of every kind of store to sentences.

Credentials and the endpoint of an S3 server come from the AWS_ variables of the environment and from nowhere else.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import fsspec
from fsspec import AbstractFileSystem

from app.errors import AppError, BadConfiguration, StoreRefused

CONNECT_SECONDS = 5
READ_SECONDS = 30
OPTIONS: dict[str, dict[str, Any]] = {
    "s3": {
        # two attempts: a store that is down is told in seconds, and not after the minutes that the defaults take
        "config_kwargs": {
            "connect_timeout": CONNECT_SECONDS,
            "read_timeout": READ_SECONDS,
            "retries": {"total_max_attempts": 2, "mode": "standard"},
        },
        "use_listings_cache": False,
        "skip_instance_cache": True,
    }
}


def open_store(url: str) -> tuple[AbstractFileSystem, str]:
    """The file system of a store and the path of the store in it.

    Raises:
        BadConfiguration: the URL names no kind of store that is known here.
    """
    protocol = url.partition("://")[0] if "://" in url else "file"
    try:
        filesystem, path = fsspec.url_to_fs(url, **OPTIONS.get(protocol, {}))
    except (ValueError, ImportError) as exc:
        raise BadConfiguration(f"{url} is no model store ({first_line(exc)}): give a folder, file:///folder or s3://bucket/folder") from exc
    return filesystem, path.rstrip("/")


@contextmanager
def reaching(url: str) -> Iterator[None]:
    """Turns what a store's library raises into a sentence; a missing file is left to the caller, who knows what it means.

    Raises:
        StoreRefused: the store is down, does not let us in, or failed.
    """
    try:
        yield
    except (AppError, FileNotFoundError):
        raise
    except Exception as exc:  # each kind of store has errors of its own
        raise StoreRefused(f"the store {url} cannot be used ({first_line(exc)}): check that it is up, and the AWS_ variables") from exc


def first_line(exc: BaseException) -> str:
    """What an error says, in one line."""
    return next(iter(str(exc).splitlines()), "") or type(exc).__name__
