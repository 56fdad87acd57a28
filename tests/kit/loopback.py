"""No test reaches a real host: whoever tries is stopped at the door, and the test that did it fails.

Knows: Python tells of every connection and every look-up of a name before it is made (PEP 578). Child processes are
not seen. Must not know: who wants to connect.
"""

from __future__ import annotations

import ipaddress
import sys

tried: list[str] = []  # hosts that somebody wanted to reach
_HERE = frozenset({"", "localhost"})
_NOWHERE = ".invalid"  # promised never to exist (RFC 2606)


class RealHost(OSError):
    """Somebody wanted to reach a host that is not this machine."""


def guard() -> None:
    """From now on; it cannot be taken back."""
    sys.addaudithook(_look)


def is_here(host: object) -> bool:
    """Whether a host, as the socket module takes it, is this machine, or none at all."""
    if host is None:
        return True
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
    if name.lower() in _HERE or name.lower().endswith(_NOWHERE):
        return True
    try:
        found = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return found.is_loopback or found.is_unspecified


def _look(event: str, given: tuple[object, ...]) -> None:
    host: object = None
    if event == "socket.getaddrinfo":
        host = given[0]
    elif event in ("socket.connect", "socket.sendto"):
        address = given[1]  # a path for a socket of the file system
        host = address[0] if isinstance(address, tuple) and address else None
    elif event in ("socket.gethostbyname", "socket.gethostbyaddr"):
        host = given[0]
    if not is_here(host):
        tried.append(str(host))
        raise RealHost(f"a test wants to reach {host}")
