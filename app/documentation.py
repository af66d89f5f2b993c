"""The page /docs, whose scripts come from this server: FastAPI's own loads them from another company's."""

from importlib.resources import files
from pathlib import Path

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import FileResponse, HTMLResponse

ASSETS = {"swagger-ui.js": "swagger-ui-bundle.js", "swagger-ui.css": "swagger-ui.css", "favicon.png": "favicon.png"}
"""What the page asks for, and what the package fastapi-offline calls it."""

NOWHERE_ELSE = "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:"
"""Content-Security-Policy: the browser refuses to reach outside, whatever a later version of the scripts may want."""


def add_documentation(api: FastAPI) -> None:
    """Add /docs and its assets; they are no part of the description."""
    folder = Path(str(files("fastapi_offline").joinpath("static")))
    page = get_swagger_ui_html(
        openapi_url="/openapi.json",
        title=api.title,
        swagger_js_url="/docs/swagger-ui.js",
        swagger_css_url="/docs/swagger-ui.css",
        swagger_favicon_url="/docs/favicon.png",
        swagger_ui_parameters={"tryItOutEnabled": True, "displayRequestDuration": True},
    )

    @api.get("/docs", include_in_schema=False)
    async def documentation() -> HTMLResponse:
        return HTMLResponse(bytes(page.body), headers={"content-security-policy": NOWHERE_ELSE})

    def serve(asset: str, file: Path) -> None:
        @api.get(f"/docs/{asset}", include_in_schema=False)
        async def send_asset() -> FileResponse:
            return FileResponse(file, headers={"cache-control": "max-age=3600"})

    for asset, file in ASSETS.items():
        serve(asset, folder / file)
