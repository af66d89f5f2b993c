"""Serve one version of the model: `python -m app.server`, configured by MODEL_API_ variables (app/settings.py).

Exit codes: 0 after SIGTERM or SIGINT, with every request answered; 2 the store has no such version; 3 if it cannot serve otherwise. Both
with one sentence on stderr.
"""

import logging
import os
import signal
import socket
import sys
import time

from app.errors import AppError, CannotListen
from app.parent import end_with
from app.settings import Settings

KEEP_ALIVE_SECONDS = 75
"""Longer than a proxy keeps an idle connection, so that it is never the server that closes one just as a request comes."""

LONGEST_REQUEST_SECONDS = 30
"""After the drain, a client that never finishes its request cannot keep the process longer than this."""

THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def bind(host: str, port: int) -> socket.socket:
    """A socket that has the address but does not listen yet: a client is refused, not kept waiting, until there is a model.

    Raises:
        CannotListen: the address is taken, not ours, or not allowed.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as exc:
        raise _cannot_listen(host, port, exc) from exc
    return listener


def serve(settings: Settings, listener: socket.socket) -> None:
    """Load, check and warm the model, then serve it until a signal says to stop.

    Raises:
        UnknownVersion, StoreRefused: the model cannot be loaded.
        BadConfiguration: the prediction log needs a driver that is not installed, or the database to show is none.
        CannotListen: another process was quicker to listen on the address.
    """
    # imported here as it takes a second: a wrong setting or a taken port is told at once, and a numeric library reads
    # its limit of threads when it is imported
    import anyio  # noqa: PLC0415  see above
    import uvicorn  # noqa: PLC0415  see above

    from app.api import create_app  # noqa: PLC0415  see above
    from app.draining import DrainingServer  # noqa: PLC0415  see above
    from app.faults import Faults  # noqa: PLC0415  see above
    from app.loading import load_from  # noqa: PLC0415  see above
    from app.log_databases import database  # noqa: PLC0415  see above
    from app.prediction_log import PredictionLog  # noqa: PLC0415  see above
    from app.predictions.shown import Shown  # noqa: PLC0415  see above
    from app.signature import Drain  # noqa: PLC0415  see above

    shown = Shown(url) if (url := settings.database.get_secret_value()) else None
    log = PredictionLog(database(settings.prediction_log)) if settings.prediction_log else None
    model = load_from(settings.store, settings.version, settings.sha256)
    # the way a request goes: the first one through the thread pool would otherwise wait 10 ms for it to be set up
    anyio.run(anyio.to_thread.run_sync, model.predict, model.card.example)
    drain = Drain()
    faults = Faults(settings.error_ratio, settings.latency_seconds, settings.unready)
    app = create_app(
        model,
        slot=settings.slot,
        drain=drain,
        faults=faults,
        max_body_bytes=settings.max_body_bytes,
        log=log,
        api_key=settings.api_key.get_secret_value(),
        shown=shown,
        origins=[origin for origin in settings.cors_origins.split(",") if origin],
    )
    config = uvicorn.Config(
        app,
        http="httptools",
        loop="uvloop",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=LONGEST_REQUEST_SECONDS,
    )
    server = DrainingServer(config, drain, settings.drain_seconds)
    host, port = listener.getsockname()[:2]
    try:
        listener.listen(config.backlog)
    except OSError as exc:
        raise _cannot_listen(host, port, exc) from exc
    logging.getLogger("app.server").info("%s in slot %s listens on http://%s:%d", settings.version, settings.slot, host, port)
    if log:
        log.start()
    server.run(sockets=[listener])
    if log:
        # a further signal must not cost the last records
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, signal.SIG_IGN)
        log.close()


def _cannot_listen(host: str, port: int, exc: OSError) -> CannotListen:
    return CannotListen(f"cannot listen on {host} port {port} ({exc.strerror}): set MODEL_API_PORT to a free one, or MODEL_API_HOST")


def main() -> int:
    """Run the server to its end and return the exit code."""
    for signum in (signal.SIGTERM, signal.SIGINT):
        # until uvicorn takes over there is nothing to drain
        signal.signal(signum, lambda *_: sys.exit(0))
    # a replica is one of several on the machine: let none take all cores for one prediction
    for variable in THREAD_LIMITS:
        os.environ.setdefault(variable, "1")
    logging.Formatter.converter = time.gmtime
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s: %(message)s", datefmt="%Y-%m-%dT%H:%M:%S"
    )
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    try:
        settings = Settings.from_environment()
        end_with(settings.parent)
        with bind(settings.host, settings.port) as listener:
            serve(settings, listener)
    except AppError as exc:
        sys.stderr.write(f"{exc}\n")
        return exc.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
