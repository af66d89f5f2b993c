"""A visitor of the pages without a browser: clicks a page's button over the pages' own protocol and waits until it is drawn anew.

What is left out is what the browser itself takes to paint. `visit` is all that a measurement of one page needs.
"""

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Self
from urllib.parse import urlsplit

import pyarrow as pa
from streamlit.proto.Alert_pb2 import Alert
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from app.errors import ServiceFailed

BUTTONS = {"embedded": "Predict", "data": "Predict", "service": "Predict", "database": "Look it up"}
"""What is clicked on the page of each strategy."""
ANSWER_SECONDS = 30.0
VERSION = re.compile(r"version \*\*(\S+?)\*\*")


class Visitor:
    """One visitor on one page. Close it, or use it as a context manager.

    Attributes:
        said: what the page said when it was last drawn.
        refusals: what of it are errors.
        table: the rows that it showed, by column.
        lost: whether the pages no longer answer on this connection; another visitor may be let in.

    Raises:
        ServiceFailed: nobody serves pages at the URL.
    """

    def __init__(self, url: str, page: str, button: str) -> None:
        address = f"ws://{urlsplit(url).netloc}/_stcore/stream"
        self._leaving = ExitStack()
        try:
            opening = connect(address, subprotocols=[Subprotocol("streamlit")], max_size=None, proxy=None)
            self._connection = self._leaving.enter_context(opening)
        except (WebSocketException, OSError) as exc:
            raise ServiceFailed(f"no pages are served at {url}: `labctl serve pages` does") from exc
        self._page, self._button = page, button
        self.said: list[str] = []
        self.refusals: list[str] = []
        self.table: list[dict[str, Any]] = []
        self.lost = False
        self._hash = ""
        self._buttons: dict[str, str] = {}
        # of every field for a number its id, its value at first and its limits
        self._fields: list[tuple[str, float, float, float]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave."""
        self._leaving.close()

    def click(self, changed: float | None = None) -> float:
        """Click the button; the seconds until the page was drawn anew. A page that shows no button yet is drawn first.

        Args:
            changed: put a value into the first field before, so far from its own to its maximum (0..1).

        Raises:
            ServiceFailed: it was not drawn, or has no such button or field; what it says instead is told.
        """
        if self._button not in self._buttons:
            self._draw()
        if self._button not in self._buttons or (changed is not None and not self._fields):
            raise ServiceFailed(self.refusal or f"the page {self._page} has no {self._button} to click: {' '.join(self.said)[-300:]}")
        began = time.perf_counter()
        self._draw(self._buttons[self._button], changed)
        return time.perf_counter() - began

    @property
    def version(self) -> str:
        """Which version answered; empty if none did."""
        found = next(filter(None, map(VERSION.search, self.said)), None)
        return found[1] if found else ""

    @property
    def refusal(self) -> str:
        """Why none did, in the page's words."""
        # a page may ask the same twice, and say the same twice
        return " ".join(dict.fromkeys(self.refusals))

    def _draw(self, clicked: str = "", changed: float | None = None) -> None:
        asked = BackMsg()
        asked.rerun_script.page_name = self._page
        asked.rerun_script.page_script_hash = self._hash
        if clicked:
            state = asked.rerun_script.widget_states.widgets.add()
            state.id, state.trigger_value = clicked, True
        if changed is not None:
            name, value, lowest, highest = self._fields[0]
            field = asked.rerun_script.widget_states.widgets.add()
            field.id, field.double_value = name, min(max(value + changed * (highest - value), lowest), highest)
        try:
            self._connection.send(asked.SerializeToString())
            self.said, self.refusals, self.table, self._fields = [], [], [], []
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
            self.lost = True
            raise ServiceFailed(f"the page {self._page} was not drawn ({exc or type(exc).__name__}): is it still served?") from exc

    def _read(self, element: Any) -> None:
        match element.WhichOneof("type"):
            case "button":
                self._buttons[element.button.label] = element.button.id
            case "number_input":
                field = element.number_input
                self._fields.append((field.id, field.default, field.min, field.max))
            case "markdown":
                self.said.append(element.markdown.body)
            case "alert":
                self.said.append(element.alert.body)
                if element.alert.format == Alert.ERROR:
                    self.refusals.append(element.alert.body)
            case "dataframe":
                self.table = pa.ipc.open_stream(element.dataframe.arrow_data.data).read_all().to_pylist()


def visit(url: str, page: str, button: str, seconds: float) -> Iterator[tuple[float, str]]:
    """Click for some seconds, at least once: each time how long it took, and which version answered.

    Raises:
        ServiceFailed: nobody serves pages at `url`, or a page was not drawn.
    """
    with Visitor(url, page, button) as visitor:
        ends = time.perf_counter() + seconds
        while True:
            took = visitor.click()
            if not visitor.version:
                raise ServiceFailed(visitor.refusal or " ".join(visitor.said)[-300:])
            yield took, visitor.version
            if time.perf_counter() >= ends:
                return
