"""Ports are free when they are given, and a taken one is refused in a sentence."""

import socket

import pytest

from platforms import ports
from platforms.ports import free_ports, require_free
from strategies.errors import CouldNotRun


def test_free_ports_are_different_and_can_all_be_listened_on_at_once() -> None:
    chosen = free_ports(20)

    servers = [socket.create_server(("127.0.0.1", port)) for port in chosen]
    for server in servers:
        server.close()

    assert len(set(chosen)) == 20


def test_one_that_somebody_listens_on_is_passed_over_and_none_is_given_twice_in_a_row() -> None:
    (first,) = free_ports(1)
    with socket.create_server(("127.0.0.1", first + 1)):
        (second,) = free_ports(1)

    assert second not in {first, first + 1}


def test_more_than_there_are_is_refused_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "LAST", ports.FIRST + 2)

    with pytest.raises(CouldNotRun, match=r"^no 4 free ports were found between 20000 and 20002; end programs that listen there$"):
        free_ports(4)


def test_a_free_port_is_given_back() -> None:
    (port,) = free_ports(1)

    assert require_free(port) == port


def test_a_port_that_somebody_listens_on_is_refused_with_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        with pytest.raises(CouldNotRun, match=rf"^port {port} cannot be used \(.+\); choose another with --port, or leave it out$"):
            require_free(port)


def test_a_port_is_free_as_soon_as_its_server_has_ended() -> None:
    """A lab on a chosen port can be ended and started again, though the system still remembers connections to the old one."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            accepted, _ = server.accept()
            # the one that closes first is the one whose address is remembered
            accepted.close()
            assert client.recv(1) == b""

    assert require_free(port) == port
