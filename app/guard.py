"""The ASGI layer that asks for an API key, where one is configured."""

import hmac

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from app.metrics import PROBES

OPEN = PROBES | {"/docs", "/docs/swagger-ui.js", "/docs/swagger-ui.css", "/docs/favicon.png", "/openapi.json"}
"""What needs no key: probes and scrapes come from machines that hold none, and the page where a person types the key in."""


class Guarded:
    """Answers 401 to a request without the key, as `x-api-key: KEY` or `Authorization: Bearer KEY`, before its body is read."""

    def __init__(self, app: ASGIApp, key: str) -> None:
        self._app = app
        self._key = key.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on if it has the key."""
        if scope["type"] != "http" or scope["path"] in OPEN or self._has_key(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        said = "send the API key, as `x-api-key: KEY` or `Authorization: Bearer KEY`"
        # the Open Inference Protocol calls it "error"
        answer = JSONResponse({"detail": said, "error": said}, status_code=401, headers={"www-authenticate": "Bearer"})
        await answer(scope, receive, send)

    def _has_key(self, headers: Headers) -> bool:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        sent = headers.get("x-api-key") or (token.strip() if scheme.lower() == "bearer" else "")
        # in a time that does not tell how much of it was right
        return hmac.compare_digest(sent.encode("latin-1"), self._key)
