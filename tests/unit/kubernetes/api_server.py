"""A small API server: objects by path, with versions, conflicts and outages, as far as labctl asks for them."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

Json = dict[str, Any]


class ApiServer:
    """What it has and how it answers.

    Attributes:
        objects: by path.
        refuse: a status and a message for every write; none if that is empty.
        failures: how many of the next requests are answered with 503.
        lost: how many of the next writes are carried out and then answered with 503.
        requests: method and query of what was asked.
    """

    def __init__(self) -> None:
        self.objects: dict[str, Json] = {}
        self.refuse: tuple[int, str] | None = None
        self.failures = 0
        self.lost = 0
        # requests come on threads of their own, and a comparison and its write are one step
        self._one = threading.Lock()
        self.requests: list[tuple[str, dict[str, list[str]]]] = []
        self._version = 0

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Json | None) -> tuple[int, Json]:
        """The status and the object of an answer."""
        with self._one:
            answer = self._answer(method, path, query, body)
            if self.lost and method != "GET":
                self.lost -= 1
                return 503, {"message": "the server is ending"}
            return answer

    def _answer(self, method: str, path: str, query: dict[str, list[str]], body: Json | None) -> tuple[int, Json]:
        self.requests.append((method, query))
        if self.failures:
            self.failures -= 1
            return 503, {"message": "the server is starting"}
        if method == "GET":
            if path in self.objects:
                return 200, self.objects[path]
            below = [found for name, found in self.objects.items() if name.rpartition("/")[0] == path]
            return (
                (200, {"items": below, "metadata": {"resourceVersion": str(self._version)}}) if below else (404, {"message": "not found"})
            )
        if self.refuse:
            return self.refuse[0], {"message": self.refuse[1]}
        if method == "DELETE":
            return (200, {}) if self.objects.pop(path, None) else (404, {"message": "not found"})
        assert body is not None
        name = f"{path}/{body['metadata']['name']}" if method == "POST" else path
        held = self.objects.get(name)
        wanted = body["metadata"].get("resourceVersion")
        if (method == "POST" and held) or (wanted and held and wanted != held["metadata"]["resourceVersion"]):
            return 409, {"message": "the object has been modified; please apply your changes to the latest version"}
        self._version += 1
        body["metadata"] |= {"resourceVersion": str(self._version), "uid": name}
        self.objects[name] = body
        return 200, body


@contextmanager
def api_server(folder: Path) -> Iterator[tuple[ApiServer, Path]]:
    """A running one, and a kubeconfig that leads to it."""
    api = ApiServer()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            parts = urlsplit(self.path)
            query = parse_qs(parts.query)
            status, answer = api.answer(self.command, parts.path, query, body)
            # a watch in which nothing happens; whoever watches lists anew at its end
            content = b"" if "watch" in query else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815  the handler's own naming

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    serving = threading.Thread(target=server.serve_forever, args=(0.05,))
    serving.start()
    try:
        yield api, kubeconfig(folder, server.server_address[1])
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


def kubeconfig(folder: Path, port: int) -> Path:
    """A kubeconfig whose only context `test` is on this port of loopback."""
    path = folder / "kubeconfig"
    path.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "test",
                "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
                "clusters": [{"name": "test", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
                "users": [{"name": "test", "user": {}}],
            }
        )
    )
    return path
