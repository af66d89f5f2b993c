"""A connection to a port that listens only inside of a pod, through the API server, as `kubectl port-forward` makes it.

The client's own port forward pumps bytes in a thread, which prints a traceback when the API server goes away, and has no
timeout. This one is read and written by whoever asks, so a fault is an OSError there, like that of any socket.
"""

import io
from collections.abc import Callable
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

import websocket
from kubernetes.stream.ws_client import create_websocket, get_websocket_url

from platforms.kubernetes.client import READ_TIMEOUT, Cluster

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_DATA, _FAILURE = 0, 1
_PORT_FRAME = 3
"""Bytes of each channel's first frame, which only repeats the port."""


class Tunnel:
    """As much of a socket as an HTTP connection needs.

    Raises:
        OSError: it cannot be opened, broke off, or nothing came for READ_TIMEOUT seconds.
    """

    def __init__(self, cluster: Cluster, namespace: str, pod: str, port: int) -> None:
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/portforward"
        url = cluster.url(path, {"ports": str(port)})
        # the client offers no way to hand a timeout on, and without one a frozen API server would freeze the rollout
        websocket.setdefaulttimeout(READ_TIMEOUT)
        try:
            self._socket = create_websocket(cluster.api.configuration, get_websocket_url(url), cluster.credentials())
        except websocket.WebSocketException as error:
            raise ConnectionError(f"no way to port {port} of {pod}: {error}") from error
        self._unread = b""
        self._greeted: set[int] = set()

    def sendall(self, data: bytes) -> None:
        """Send all of it."""
        try:
            self._socket.send_binary(bytes([_DATA]) + data)
        except websocket.WebSocketException as error:
            raise ConnectionError(str(error)) from error

    def makefile(self, mode: str) -> io.BufferedReader:  # noqa: ARG002  a socket's signature
        """A reader of what comes; closing it leaves the connection open for the next answer."""
        return io.BufferedReader(_Reader(self))

    def receive(self, most: int) -> bytes:
        """The next bytes, `most` of them; none once the other side has closed."""
        while not self._unread:
            try:
                code, frame = self._socket.recv_data(control_frame=False)
            except websocket.WebSocketConnectionClosedException:
                return b""
            except websocket.WebSocketException as error:
                raise ConnectionError(str(error)) from error
            if code == websocket.ABNF.OPCODE_CLOSE or not frame:
                return b""
            channel, data = frame[0], frame[1:]
            if channel not in self._greeted and len(frame) == _PORT_FRAME:
                self._greeted.add(channel)
            elif channel == _FAILURE:
                raise ConnectionError(data.decode(errors="replace"))
            else:
                self._unread += data
        taken, self._unread = self._unread[:most], self._unread[most:]
        return taken

    def close(self) -> None:
        """End the connection."""
        self._socket.close(timeout=1)


class _Reader(io.RawIOBase):
    def __init__(self, tunnel: Tunnel) -> None:
        self._tunnel = tunnel

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        with memoryview(buffer) as view:
            data = self._tunnel.receive(len(view))
            view[: len(data)] = data
        return len(data)


class PodConnection(HTTPConnection):
    """HTTP to a port inside of a pod."""

    def __init__(self, cluster: Cluster, namespace: str, pod: str, port: int) -> None:
        super().__init__("localhost", port, timeout=READ_TIMEOUT)
        self._open: Callable[[], Any] = lambda: Tunnel(cluster, namespace, pod, port)

    def connect(self) -> None:
        """Open the tunnel. A socket, to http.client, is whatever sends and makes files."""
        self.sock = self._open()
