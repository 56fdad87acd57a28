"""How many tokens a text has, estimated from above without a tokenizer.

Knows: ceil(utf-8 bytes / 3) was never too few for any language that was measured (facts/model.md).
Must not know: models.
"""

from __future__ import annotations

_BYTES_PER_TOKEN = 3


def estimate(text: str) -> int:
    """Tokens of `text`, estimated from above."""
    return -(-len(text.encode("utf-8", "surrogatepass")) // _BYTES_PER_TOKEN)
