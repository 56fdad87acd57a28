"""Our own small pages: one head for all, and what each has of its own.

Knows: that a page's file begins with its own rules of style, which come after those of all. Must not know: words, who
reads it.
"""

from __future__ import annotations

from importlib import resources


def template(name: str) -> str:
    """A page with its head; its slots are still open."""
    rules, _, body = _read(name).removeprefix("<style>\n").partition("</style>\n")
    return _read("head").replace("{{rules}}", rules, 1) + body


def _read(name: str) -> str:
    return resources.files("bots.web").joinpath(f"static/{name}.html").read_text("utf-8")
