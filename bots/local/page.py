"""The page's files, read once at start and served from memory: no path from outside ever meets the disk.

Knows: which files belong to the page. Must not know: what they do.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import resources

from aiohttp import web

_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """One file; `etag` changes with its content."""

    body: bytes
    content_type: str
    etag: str


def load() -> dict[str, Asset]:
    """Every file of the page by name."""
    found: dict[str, Asset] = {}
    for item in resources.files("bots.local").joinpath("static").iterdir():
        suffix = item.name[item.name.rfind(".") :]
        if item.is_file() and suffix in _TYPES:
            data = item.read_bytes()
            digest = hashlib.sha256(data).hexdigest()[:32]
            found[item.name] = Asset(body=data, content_type=_TYPES[suffix], etag=digest)
    return found


def routes() -> list[web.RouteDef]:
    """The page at / and its files under /static/, to be served under `bots.web.guard`."""
    assets = load()

    async def page(request: web.Request) -> web.StreamResponse:
        return _serve(request, assets["index.html"])

    async def static(request: web.Request) -> web.StreamResponse:
        asset = assets.get(request.match_info["name"])
        if asset is None:
            raise web.HTTPNotFound
        return _serve(request, asset)

    return [web.get("/", page), web.get("/static/{name}", static)]


def _serve(request: web.Request, asset: Asset) -> web.Response:
    headers = {"Cache-Control": "no-cache", "ETag": f'"{asset.etag}"'}
    if any(each.value == asset.etag for each in request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    return web.Response(body=asset.body, content_type=asset.content_type, charset="utf-8", headers=headers)
