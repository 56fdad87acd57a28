"""`/r#CODE`: where a link with a resume code leads. One page, the same for everybody.

Knows: the page and its words. Must not know: the code. It is in the fragment of the address, which browsers do not
send; opening the page asks nothing and changes nothing. Where the built-in web chat answers too (this machine, see
`bots.web.guard`) the page offers to use the code there, by the same request as the chat's own.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re

from aiohttp import web

from bots.web.pages import template
from core.domain.words import say

_SLOT = re.compile(r"\{\{(\w+)\}\}")


def page(language: str) -> str:
    """The page in a language."""

    def words(found: re.Match[str]) -> str:
        name = found[1]
        return html.escape(language if name == "language" else say(language, f"landing.{name}"))

    return _SLOT.sub(words, template("resume"))


def policy(text: str) -> str:
    """What the page may do: its own style and script, and to ask this server."""
    style, script = (_hash(text, tag) for tag in ("style", "script"))
    return (
        f"default-src 'none'; style-src '{style}'; script-src '{script}'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def routes(language: str) -> list[web.RouteDef]:
    """The one route."""
    text = page(language)
    headers = {"Content-Security-Policy": policy(text)}

    async def landing(request: web.Request) -> web.StreamResponse:
        del request
        return web.Response(text=text, content_type="text/html", headers=headers)

    return [web.get("/r", landing)]


def style_of(text: str) -> str:
    """The hash by which a page allows its own style."""
    return _hash(text, "style")


def _hash(text: str, tag: str) -> str:
    inside = text.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0]
    return "sha256-" + base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
