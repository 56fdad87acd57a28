"""The guard of the tests themselves: nothing here ever talks to a real Slack, Discord or Claude."""

from __future__ import annotations

import socket

import aiohttp
import pytest

from tests.kit import loopback


async def test_a_real_host_is_never_reached() -> None:
    """A test with a forgotten address would call Slack itself, from every machine that runs the tests."""
    async with aiohttp.ClientSession() as session:
        with pytest.raises(OSError, match=r"slack\.com"):
            await session.get("https://slack.com/api/api.test")
    with socket.socket() as plain, pytest.raises(loopback.RealHost):
        plain.connect(("192.0.2.1", 443))
    assert loopback.tried == ["slack.com", "192.0.2.1"]
    loopback.tried.clear()


@pytest.mark.parametrize(
    "host",
    [None, "", "localhost", "127.0.0.1", "127.8.0.1", "::1", b"127.0.0.2", "0.0.0.0", "a.invalid"],  # noqa: S104
)
def test_this_machine_is_let_through(host: object) -> None:
    """No test with a server of its own could run."""
    assert loopback.is_here(host)
