"""What a model call costs.

Knows: the providers' list prices. Must not know: budgets, or who pays.
Source: `facts/model.md` section 1.1 (list prices of November 2026). One million tokens at one dollar is one
millionth of a dollar for each token, so prices stand here in thousandths of that: whole numbers, no rounding
before the end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_LONG_PROMPT_TOKENS = 100_000  # haiku-5-5: a larger prompt makes the whole request dearer
_DATED = re.compile(r"-20\d{6}$")  # claude-haiku-4-5-20251001 is claude-haiku-4-5


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Billionths of a US dollar for one token.

    `long_factor`: what everything is multiplied by when the prompt has more than 100,000 tokens.
    """

    tokens_in: int
    tokens_out: int
    cache_read: int
    cache_write: int  # for five minutes
    long_factor: int = 1


_PRICES = {
    "claude-sonnet-5-5": Price(tokens_in=2_000, tokens_out=10_000, cache_read=100, cache_write=2_500),
    "claude-haiku-5-5": Price(tokens_in=100, tokens_out=500, cache_read=10, cache_write=125, long_factor=5),
    "claude-opus-5-5": Price(tokens_in=4_000, tokens_out=20_000, cache_read=200, cache_write=5_000),
    # No cache prices are published for it: reading as the input of the others, writing at their 1.25.
    "claude-fable-5-2": Price(tokens_in=8_000, tokens_out=40_000, cache_read=800, cache_write=10_000),
    "claude-sonnet-4-6": Price(tokens_in=3_000, tokens_out=15_000, cache_read=300, cache_write=3_750),
    "claude-sonnet-4-5": Price(tokens_in=3_000, tokens_out=15_000, cache_read=300, cache_write=3_750),
    "claude-haiku-4-5": Price(tokens_in=1_000, tokens_out=5_000, cache_read=100, cache_write=1_250),
}
_DEAREST = max(_PRICES.values(), key=lambda price: price.tokens_out)


def price(model: str) -> Price:
    """The price of a model; of an unknown one the dearest that we know, so that no budget is overrun."""
    return _PRICES.get(_DATED.sub("", model), _DEAREST)


def cost(model: str, tokens_in: int, tokens_out: int, cache_read: int, cache_write: int) -> int:
    """Millionths of a US dollar, rounded up. `tokens_in` are the uncached ones, as the API counts."""
    each = price(model)
    billionths = (
        tokens_in * each.tokens_in
        + tokens_out * each.tokens_out
        + cache_read * each.cache_read
        + cache_write * each.cache_write
    )
    if tokens_in + cache_read + cache_write > _LONG_PROMPT_TOKENS:
        billionths *= each.long_factor
    return -(-billionths // 1_000)
