"""What a call costs, against the price list."""

from __future__ import annotations

import pytest

from core.domain.prices import cost


@pytest.mark.parametrize(
    ("model", "counts", "micro_dollars"),
    [
        ("claude-sonnet-5-5", (50_000, 0, 0, 0), 100_000),  # facts/model.md: one cold turn is $0.100
        ("claude-sonnet-5-5", (0, 0, 0, 50_000), 125_000),
        ("claude-sonnet-5-5", (0, 0, 50_000, 0), 5_000),
        ("claude-haiku-5-5", (50_000, 1_000, 0, 0), 5_500),
        ("claude-haiku-5-5", (100_000, 0, 0, 0), 10_000),
        ("claude-haiku-5-5", (120_000, 1_000, 0, 0), 62_500),
        ("claude-haiku-5-5", (1, 0, 60_000, 40_000), 28_001),
        ("claude-haiku-4-5-20251001", (50_000, 1_000, 0, 0), 55_000),
        ("claude-from-the-future-9", (1_000, 1_000, 0, 0), 48_000),
        ("claude-sonnet-5-5", (0, 0, 0, 0), 0),
        ("claude-haiku-5-5", (1, 0, 0, 0), 1),
    ],
)
def test_cost(model: str, counts: tuple[int, int, int, int], micro_dollars: int) -> None:
    """A budget counts what the provider bills, and never less."""
    assert cost(model, *counts) == micro_dollars
