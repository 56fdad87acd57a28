"""One-time links to our own sign-in page: made by a press, shown once, kept as a digest only.

Knows: that a sentence carries a placeholder, which becomes the address while it is sent, so that no row, card or log
holds a link. Must not know: who may use one, or where we are reached.
"""

from __future__ import annotations

import hashlib
import re

from core.domain.stamp import Stamp

PATH = "/connect/"
LIFE_MS = 10 * 60_000
_PLACEHOLDER = re.compile(r"\{connect:([0-9A-HJKMNP-TV-Z]{52})\}")


def new_link(stamp: Stamp) -> str:
    """The secret part of a new link: 160 bits of this decision's chance, beside two times."""
    return stamp.ulid("link:1") + stamp.ulid("link:2")


def digest_of_link(link: str) -> str:
    """Under what a link is looked up."""
    return hashlib.sha256(f"connect:{link}".encode("utf-8", "replace")).hexdigest()


def placeholder(link: str) -> str:
    """What stands in a sentence in place of the address."""
    return f"{{connect:{link}}}"


def reveal(base: str, text: str) -> str:
    """The sentence with its address, for the moment of sending only."""
    return _PLACEHOLDER.sub(lambda found: f"{base}{PATH}{found[1]}", text)
