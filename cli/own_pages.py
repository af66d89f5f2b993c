"""Keeps a server on loopback to its own pages: no other site in the same browser may read them, frame them or steer by them."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOSTS = ("127.0.0.1", "localhost")
FROM_HERE = frozenset({"same-origin", "none", ""})
"""What a browser says of a request that our own page, or the person in the address line, has made; programs say nothing."""


class OwnPages:
    """ASGI middleware. `nonce` is what a script must carry that a page may run."""

    def __init__(self, app: ASGIApp, nonce: str) -> None:
        # a name of somebody's own that leads here is no name of ours
        self._app = TrustedHostMiddleware(app, allowed_hosts=list(HOSTS))
        self._headers = {
            "content-security-policy": f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; connect-src 'self'; "
            f"script-src 'nonce-{nonce}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
            "cross-origin-resource-policy": "same-origin",
            "referrer-policy": "no-referrer",
            "x-content-type-options": "nosniff",
            "x-frame-options": "DENY",
            "cache-control": "no-store",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse what comes from elsewhere, pass on the rest."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._headers)
            await send(message)

        headers = Headers(scope=scope)
        if scope["method"] != "GET" and not _from_here(headers):
            await PlainTextResponse("only a page that labctl dashboard served may ask for this", 403)(scope, receive, guarded)
            return
        await self._app(scope, receive, guarded)


def _from_here(headers: Headers) -> bool:
    origin = headers.get("origin", "")
    own = not origin or (urlsplit(origin).scheme == "http" and urlsplit(origin).netloc == headers.get("host"))
    return own and headers.get("sec-fetch-site", "") in FROM_HERE
