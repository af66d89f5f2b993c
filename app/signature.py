"""The ASGI layer that signs every answer with who gave it and to which request, and closes connections while draining."""

import re
import uuid
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

VERSION_HEADER = "x-served-by"
REQUEST_ID_HEADER = "x-request-id"
SANE_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
"""What is taken over from a client. Anything else could forge lines in a log, or fill it."""


@dataclass
class Drain:
    """Whether this replica has been told to stop."""

    begun: bool = False


class Signed:
    """Adds x-served-by and x-request-id to every answer and, while draining, `Connection: close`.

    Closing after an answer moves a client that keeps connections to another replica without losing a request; closing
    an idle connection could cross with a request on its way.
    """

    def __init__(self, app: ASGIApp, version: str, drain: Drain) -> None:
        self._app = app
        self._version = version
        self._drain = drain

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and sign its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        received = Headers(scope=scope).get(REQUEST_ID_HEADER, "")
        request_id = received if SANE_REQUEST_ID.fullmatch(received) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id

        async def sign_and_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers[VERSION_HEADER] = self._version
                headers[REQUEST_ID_HEADER] = request_id
                if self._drain.begun:
                    headers["connection"] = "close"
            await send(message)

        await self._app(scope, receive, sign_and_send)
