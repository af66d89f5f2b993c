"""A uvicorn server that leaves without losing a request.

uvicorn alone stops accepting the moment it gets SIGTERM, while a proxy still sends to it, and then ends by that signal. Here
SIGTERM (or SIGINT) begins a drain: `/readyz` says so, every answer closes its connection, and new connections are still
accepted. After the delay the listener closes, what is in flight is answered, and the process returns. A further signal changes nothing.
"""

import logging
import time
from types import FrameType

import uvicorn

from app.signature import Drain

logger = logging.getLogger(__name__)


class DrainingServer(uvicorn.Server):
    """Drains before it shuts down.

    Attributes:
        drain: read by the application's layers; begun by the first signal.
        seconds: how long to go on accepting.
    """

    def __init__(self, config: uvicorn.Config, drain: Drain, seconds: float) -> None:
        super().__init__(config)
        self.drain = drain
        self.seconds = seconds
        self._closes_at: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002  uvicorn's signature
        """Begin to drain. The signal is not kept: uvicorn would raise it again at the end and not exit with 0."""
        self.drain.begun = True

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: whether to shut down."""
        ended = await super().on_tick(counter)
        if self.drain.begun and self._closes_at is None:
            self._closes_at = time.monotonic() + self.seconds
            logger.info("told to stop: accepting for another %g s", self.seconds)
        return ended or (self._closes_at is not None and time.monotonic() >= self._closes_at)
