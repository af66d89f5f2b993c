"""A port that nobody uses, for one server of a test."""

from platforms.ports import free_ports


def free_port() -> int:
    """One that is given to no other test that runs at the same time."""
    return free_ports(1)[0]
