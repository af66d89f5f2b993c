"""Free loopback ports."""

import os
import socket
from contextlib import ExitStack, suppress
from itertools import count as counting

from strategies.errors import CouldNotRun

FIRST, LAST = 20_000, 31_999
"""Below what systems give to outgoing connections (from 32768 on Linux, 49152 on macOS): a connection could take a port before its use."""
_BLOCK = 50
# processes that look at the same time look at different places, so none is chosen by two before either listens
_numbers = counting(os.getpid() * _BLOCK)


def free_ports(count: int) -> list[int]:
    """`count` different ports that nobody listens on; all are held while they are chosen, and none is chosen again soon.

    Raises:
        CouldNotRun: there are not so many.
    """
    chosen: list[int] = []
    with ExitStack() as stack:
        for _ in range(LAST - FIRST + 1):
            if len(chosen) == count:
                return chosen
            port = FIRST + next(_numbers) % (LAST - FIRST + 1)
            held = stack.enter_context(socket.socket())
            with suppress(OSError):
                held.bind(("127.0.0.1", port))
                chosen.append(port)
    raise CouldNotRun(f"no {count} free ports were found between {FIRST} and {LAST}; end programs that listen there")


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
