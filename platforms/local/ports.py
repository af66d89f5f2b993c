"""Free loopback ports."""

import socket
from contextlib import ExitStack

from strategies.errors import CouldNotRun


def free_ports(count: int) -> list[int]:
    """`count` different ports that nobody listens on; all are held while they are chosen, so none is given twice."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for held in sockets:
            held.bind(("127.0.0.1", 0))
        return [held.getsockname()[1] for held in sockets]


def require_free(port: int) -> int:
    """The port itself.

    Raises:
        CouldNotRun: somebody listens there, or it may not be bound.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise CouldNotRun(f"port {port} cannot be used ({error.strerror}); choose another with --port, or leave it out") from error
    return port
