"""Ports for servers that tests start: never one that the system may give to somebody else meanwhile."""

from __future__ import annotations

from hub.demo.arrangement import free_listen


def free_port() -> int:
    """A port on loopback that nobody listens on now, outside of the range from which ports are given by themselves."""
    return int(free_listen().rpartition(":")[2])
