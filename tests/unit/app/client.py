"""A client of an ASGI application in this process."""

import asyncio
from typing import Any

import httpx
from starlette.types import ASGIApp


class Client:
    """Each request runs in an event loop of its own; a failure of the application is its answer, as behind a server."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def request_async(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One request, in the caller's event loop."""
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://model.test") as client:
            return await client.request(method, path, **options)

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One request; options as httpx takes them."""
        return asyncio.run(self.request_async(method, path, **options))

    def get(self, path: str, **options: Any) -> httpx.Response:
        """A GET."""
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        """A POST."""
        return self.request("POST", path, **options)
