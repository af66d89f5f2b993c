"""A run's own metrics, for as long as it runs: scraped on a free loopback port, or pushed to a Prometheus that cannot reach it."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from prometheus_client import start_http_server

from cli.platforms import LOCAL
from impact.exposition import Exposition
from impact.remote_write import RemoteWriter
from platforms.local import lab as local
from strategies.errors import StoreRefused

NAMES = "labctl_rollout_.+"
"""What the metrics of every run are called; as a regular expression."""


def exposing(exposition: Exposition, platform: str, home: Path, prometheus: str) -> AbstractContextManager[object]:
    """Make `exposition` known to the Prometheus of the lab while the context lasts: that at `home`, or that at the URL `prometheus`.

    Nobody's rollout fails for want of them: where no port or no disk is to be had, there are none.
    """
    if platform == LOCAL:
        return _scraped(exposition, home)
    return RemoteWriter(exposition.registry(), prometheus, {"job": "labctl", "instance": "labctl"}, NAMES)


@contextmanager
def _scraped(exposition: Exposition, home: Path) -> Iterator[None]:
    try:
        server, thread = start_http_server(0, addr="127.0.0.1", registry=exposition.registry())
    except OSError:
        yield
        return
    try:
        with suppress(StoreRefused):
            local.expose(home, f"127.0.0.1:{server.server_port}")
        yield
    finally:
        with suppress(StoreRefused):
            local.expose(home, "")
        server.shutdown()
        server.server_close()
        thread.join()
