"""A headless Chromium, driven over its own DevTools protocol: what a visitor sees and does, and every address that the page asks."""

import base64
import json
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.client import ClientConnection, connect

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
START_SECONDS = 40.0
ANSWER_SECONDS = 60.0
KEYS = {"Enter": ("\r", 13), "Tab": ("", 9), "ArrowDown": ("", 40), "Escape": ("", 27)}


class Browser:
    """One tab.

    Attributes:
        asked: the address of every request that the tab has sent since it was opened.
    """

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._number = 0
        self.asked: list[str] = []
        for domain in ("Page", "Network", "Runtime"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the protocol, and its result."""
        self._number += 1
        self._connection.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        deadline = time.monotonic() + ANSWER_SECONDS
        while time.monotonic() < deadline:
            message = json.loads(self._connection.recv(timeout=ANSWER_SECONDS))
            if message.get("method") in {"Network.requestWillBeSent", "Network.webSocketCreated"}:
                details = message["params"]
                self.asked.append(details["request"]["url"] if "request" in details else details["url"])
            if message.get("id") == self._number:
                assert "error" not in message, f"{method}: {message['error']}"
                result: dict[str, Any] = message["result"]
                return result
        raise AssertionError(f"Chromium gave no answer to {method}")

    def evaluate(self, script: str) -> Any:
        """The value of a JavaScript expression on the page."""
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def open(self, url: str, *, width: int = 1000, height: int = 900) -> None:
        """Go to a page, in a window of that size."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        self.call("Page.navigate", url=url)

    def text(self) -> str:
        """What can be read on the page."""
        return str(self.evaluate("document.body ? document.body.innerText : ''"))

    def wait_for(self, words: str, timeout: float = 60.0) -> str:
        """Wait until a pattern can be read and the page has come to rest; what was found."""
        deadline = time.monotonic() + timeout
        resting = "!document.querySelector('[data-testid=stStatusWidget], [data-testid=stSkeleton]')"
        while time.monotonic() < deadline:
            if (found := re.search(words, self.text())) and self.evaluate(resting):
                return found[0]
            time.sleep(0.1)
        raise AssertionError(f"{words!r} did not come up within {timeout:g} s; the page says:\n{self.text()}")

    def click(self, words: str) -> None:
        """Click the button that can be clicked and is called so."""
        found = self.evaluate(
            f"(b => b ? (b.click(), true) : false)([...document.querySelectorAll('button')].find("
            f"b => !b.disabled && b.checkVisibility() && b.innerText.trim() === {json.dumps(words)}))"
        )
        assert found, f"there is no button {words!r} to be clicked; the page says:\n{self.text()}"

    def press(self, key: str) -> None:
        """Press and let go one key."""
        text, code = KEYS[key]
        common = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **common)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def tab_to(self, label: str, presses: int = 60) -> None:
        """Move the focus with the Tab key alone until it is on what is called so."""
        for _ in range(presses):
            self.press("Tab")
            name = self.evaluate("(e => e.innerText || e.getAttribute('aria-label') || '')(document.activeElement)")
            if re.search(label, str(name)):
                return
        raise AssertionError(f"the Tab key does not lead to {label!r}")

    def screenshot(self, path: Path) -> None:
        """The window as a PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))


@contextmanager
def chromium(profile: Path) -> Iterator[Browser]:
    """A Chromium with a new profile in that folder; it has ended afterwards."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    assert found, "there is no Chromium on PATH; on Debian and Ubuntu: apt-get install chromium"
    # without its sandbox, as containers do not allow it one; it opens our own pages only
    options = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--remote-debugging-port=0")
    command = [found, *options, f"--user-data-dir={profile}", "about:blank"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        port = _port(profile / "DevToolsActivePort", process)
        with connect(_tab(port), max_size=None, proxy=None) as connection:
            yield Browser(connection)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _port(file: Path, process: subprocess.Popen[bytes]) -> int:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if file.is_file() and (lines := file.read_text().splitlines()):
            return int(lines[0])
        time.sleep(0.05)
    raise AssertionError(f"Chromium did not start within {START_SECONDS:g} s (exit code {process.poll()})")


def _tab(port: int) -> str:
    tabs = httpx.get(f"http://127.0.0.1:{port}/json/list", trust_env=False, timeout=ANSWER_SECONDS).json()
    return str(next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page"))
