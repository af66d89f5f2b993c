"""The database that a replica shows at /predictions, whose library it has only once there is something to show.

SQLAlchemy would be a fifth of a replica's start. So it is had in a thread once a replica was found ready, which is before users are
sent there; and not at all while the file of a SQLite database is not there, as before the first batch. What was rejected: having it
at the first question or scrape, which would slow the predictions that are made at that moment.
"""

import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.errors import AppError, DatabaseFailed

if TYPE_CHECKING:
    from prometheus_client.core import Metric
    from sqlalchemy import Engine

    from app.payloads import PredictionPage

SQLITE_FILE = re.compile(r"sqlite:///(?!:memory:)([^?]+)")
POSTGRESQL = re.compile(r"postgresql://([^/?@]*@)?[A-Za-z0-9.-]+(:[0-9]{1,5})?/[^?/]*")


class Shown:
    """The database at `url`.

    Raises:
        BadConfiguration: the URL is none of a database that is known here.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        found = SQLITE_FILE.fullmatch(url)
        self._file = Path(found[1]) if found else None
        self._lock = threading.Lock()
        self._engine: Engine | None = None
        self._prepared = False
        if not found and not POSTGRESQL.fullmatch(url):
            # whether anything else is one only the library can say, and a replica that is not configured must not start
            self._opened()

    def prepare(self) -> None:
        """Have the library before somebody asks, without keeping anybody waiting; may be called again and again."""
        if not self._prepared and self._is_there():
            self._prepared = True
            threading.Thread(target=self._try_to_open, name="predictions", daemon=True).start()

    def page(self, **asked: Any) -> "PredictionPage":
        """See `app.predictions.reading.page`.

        Raises:
            DatabaseFailed: the database is down or has no predictions.
        """
        engine = self._opened()
        from app.predictions.reading import page  # noqa: PLC0415  it takes the library

        return page(engine, **asked)

    def batches(self) -> "list[Metric]":
        """See `app.predictions.reading.batches`.

        Raises:
            DatabaseFailed: the database is down or has no predictions.
        """
        engine = self._opened()
        from app.predictions.reading import batches  # noqa: PLC0415  it takes the library

        return batches(engine)

    def _opened(self) -> "Engine":
        if not self._is_there():
            raise DatabaseFailed(f"there is no database {self._file}: `labctl predict batch` makes it")
        with self._lock:
            if self._engine is None:
                from app.predictions.database import open_database  # noqa: PLC0415  it takes the library

                self._engine = open_database(self._url, writes=False)
            return self._engine

    def _is_there(self) -> bool:
        return self._file is None or self._file.exists()

    def _try_to_open(self) -> None:
        try:
            self._opened()
        except AppError:
            # whoever asks is told
            return
        from app.predictions import reading  # noqa: F401, PLC0415  it has the tables as well
