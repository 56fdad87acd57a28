"""The SDK's Web API client as every part of this adapter uses it.

Knows: the SDK's own retries post twice, so there are none; it takes a proxy out of the environment for every address,
also for one on this machine, which no proxy can reach. Must not know: methods, tokens' meaning.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient


def web_client(api_url: str, session: aiohttp.ClientSession, token: str | None = None) -> AsyncWebClient:
    """A client on our one HTTP session."""
    client = AsyncWebClient(token=token, base_url=api_url, session=session, retry_handlers=[])
    if is_here(api_url):
        client.proxy = None
    return client


def is_here(address: str) -> bool:
    """Whether an address is on this machine: a proxy of the environment stands before the internet, not before us."""
    host = urlsplit(address).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
