"""TCP ports of the loopback address that nobody uses."""

from __future__ import annotations

import random
import socket

# Below Linux's default range for outgoing connections (32768 and up): a port that was free stays free
# although the tests open thousands of connections between the choice and the bind.
_LOW, _HIGH = 12000, 32000
_given: set[int] = set()


def free_port() -> int:
    """A port on 127.0.0.1 that can be bound now and was not given out by this process before."""
    for _ in range(1000):
        port = random.randrange(_LOW, _HIGH)
        if port in _given:
            continue
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port
    raise RuntimeError(f"no free TCP port found between {_LOW} and {_HIGH}")


def free_ports(count: int) -> list[int]:
    """`count` different ports, as free_port() gives them."""
    return [free_port() for _ in range(count)]
