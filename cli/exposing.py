"""A run's own metrics, for as long as it runs: served on a free loopback port that the lab's Prometheus is told of."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from prometheus_client import start_http_server

from impact.exposition import Exposition
from platforms.local import lab as local
from strategies.errors import StoreRefused


@contextmanager
def exposing(exposition: Exposition, home: Path) -> Iterator[None]:
    """Serve `exposition` while the body runs, in the lab at `home`.

    Nobody's rollout fails for want of them: where no port or no disk is to be had, there are none.
    """
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
