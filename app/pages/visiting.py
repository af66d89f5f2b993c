"""A visitor of the pages without a browser: clicks a page's button over the pages' own protocol and waits until it is drawn anew.

What is left out is what the browser itself takes to paint. `visit` is all that a measurement needs.
"""

import re
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from app.errors import ServiceFailed

ANSWER_SECONDS = 30.0
VERSION = re.compile(r"version \*\*(\S+?)\*\*")


class Visitor:
    """One visitor on one page, by its path such as `embedded`.

    Attributes:
        said: what the page said when it was last drawn.

    Raises:
        ServiceFailed: nobody serves pages there, or the page has no button.
    """

    def __init__(self, connection: ClientConnection, page: str, button: str) -> None:
        self._connection, self._page = connection, page
        self.said: list[str] = []
        self._hash = ""
        self._buttons: dict[str, str] = {}
        self._draw()
        if button not in self._buttons:
            raise ServiceFailed(f"the page {page} has no button {button}: {' '.join(self.said)[-300:]}")
        self._button = self._buttons[button]

    def click(self) -> float:
        """Click the button; the seconds until the page was drawn anew.

        Raises:
            ServiceFailed: it was not.
        """
        began = time.perf_counter()
        self._draw(self._button)
        return time.perf_counter() - began

    @property
    def version(self) -> str:
        """Which version answered; empty if none did."""
        found = next(filter(None, map(VERSION.search, self.said)), None)
        return found[1] if found else ""

    def _draw(self, clicked: str = "") -> None:
        asked = BackMsg()
        asked.rerun_script.page_name = self._page
        asked.rerun_script.page_script_hash = self._hash
        if clicked:
            state = asked.rerun_script.widget_states.widgets.add()
            state.id, state.trigger_value = clicked, True
        try:
            self._connection.send(asked.SerializeToString())
            self.said = []
            while True:
                message = ForwardMsg.FromString(self._connection.recv(timeout=ANSWER_SECONDS, decode=False))
                match message.WhichOneof("type"):
                    case "navigation":
                        self._hash = message.navigation.page_script_hash
                    case "delta":
                        self._read(message.delta.new_element)
                    case "script_finished":
                        return
        except (WebSocketException, TimeoutError, OSError) as exc:
            raise ServiceFailed(f"the page {self._page} was not drawn ({exc or type(exc).__name__}): is it still served?") from exc

    def _read(self, element: Any) -> None:
        match element.WhichOneof("type"):
            case "button":
                self._buttons[element.button.label] = element.button.id
            case "markdown":
                self.said.append(element.markdown.body)
            case "alert":
                self.said.append(element.alert.body)


def visit(url: str, page: str, button: str, seconds: float) -> Iterator[tuple[float, str]]:
    """Click for some seconds, at least once: each time how long it took, and which version answered.

    Raises:
        ServiceFailed: nobody serves pages at `url`, or a page was not drawn.
    """
    address = f"ws://{urlsplit(url).netloc}/_stcore/stream"
    try:
        connection = connect(address, subprotocols=[Subprotocol("streamlit")], max_size=None, proxy=None)
    except (WebSocketException, OSError) as exc:
        raise ServiceFailed(f"no pages are served at {url}: `labctl serve pages` does") from exc
    with connection:
        visitor = Visitor(connection, page, button)
        ends = time.perf_counter() + seconds
        while True:
            took = visitor.click()
            if not visitor.version:
                raise ServiceFailed(" ".join(visitor.said)[-300:])
            yield took, visitor.version
            if time.perf_counter() >= ends:
                return
