"""Durations, money and hours of the day as people write them in settings.

Knows: the written forms and what is wrong with a text that is none. Must not know: which setting it is.
A parser raises `ValueError`; its text finishes the sentence "NAME ...", and names the unit that is missing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import time, timedelta
from decimal import Decimal, InvalidOperation

_UNIT_MS = {"w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
_DURATION = re.compile(r"(?:\d+(?:ms|[wdhms]))+", re.ASCII)
_DURATION_PART = re.compile(r"(\d+)(ms|[wdhms])", re.ASCII)
_HOURS = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)-([01]?\d|2[0-3]):([0-5]\d)", re.ASCII)
_LONGEST_MS = 100 * 365 * _UNIT_MS["d"]  # more is a slip of the pen
_MOST_DOLLARS = 1_000_000_000
_MICRO = 1_000_000  # budgets are kept in millionths of a dollar: one token costs a few of them


def parse_duration(text: str) -> timedelta:
    """Read `30m`, `24h`, `90s`, `500ms`, `2d`, `1w`, or several in a row (`1h30m`); never zero."""
    compact = text.strip().lower().replace(" ", "")
    if compact.isascii() and compact.isdigit():
        raise ValueError(f"has no unit: write {compact}s, {compact}m or {compact}h")
    if not _DURATION.fullmatch(compact):
        raise ValueError("is not a duration like 30m, 24h, 90s or 500ms")
    total_ms = sum(int(count) * _UNIT_MS[unit] for count, unit in _DURATION_PART.findall(compact))
    if not 0 < total_ms <= _LONGEST_MS:
        raise ValueError("must be longer than nothing and shorter than a hundred years")
    return timedelta(milliseconds=total_ms)


def format_duration(duration: timedelta) -> str:
    """Write a duration so that `parse_duration` gives it back, in the largest unit up to hours that fits."""
    total_ms = duration // timedelta(milliseconds=1)
    unit = next(unit for unit in ("h", "m", "s", "ms") if total_ms % _UNIT_MS[unit] == 0)
    return f"{total_ms // _UNIT_MS[unit]}{unit}"


def parse_dollars(text: str) -> int:
    """Read `5`, `5.00`, `$5` or `$0.25` as millionths of a US dollar; never negative."""
    try:
        dollars = Decimal(text.strip().removeprefix("$").strip())
    except InvalidOperation:
        raise ValueError("is not an amount of US dollars like 5 or $5.00") from None
    if not dollars.is_finite() or not 0 <= dollars <= _MOST_DOLLARS:
        raise ValueError("must be an amount of US dollars from 0 to a thousand million")
    if (dollars * _MICRO) % 1 != 0:
        raise ValueError("is finer than a millionth of a dollar")
    return int(dollars * _MICRO)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHours:
    """A time of day in which nothing is posted that nobody asked for; may reach over midnight."""

    start: time
    end: time

    @classmethod
    def parse(cls, text: str) -> QuietHours:
        """Read `22:00-07:00`."""
        found = _HOURS.fullmatch(text.replace(" ", ""))
        if found is None:
            raise ValueError("is not a span of the day like 22:00-07:00")
        hours = [int(part) for part in found.groups()]
        if hours[:2] == hours[2:]:
            raise ValueError("begins and ends at the same time")
        return cls(start=time(hours[0], hours[1]), end=time(hours[2], hours[3]))

    def __str__(self) -> str:
        return f"{self.start:%H:%M}-{self.end:%H:%M}"
