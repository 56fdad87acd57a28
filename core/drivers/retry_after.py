"""`Retry-After`: when somebody who is busy wants to be asked again.

Knows: both of its forms (RFC 9110, 10.2.3). Must not know: who said it, or how long is waited in the end (see
`core.domain.rules.attempts`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

CAP_S = 366 * 86_400.0  # beyond any meaning; the domain has its own cap of a wait


def retry_ms(headers: Mapping[str, str], now_ms: int) -> int | None:
    """From when on (wall-clock); None when it says nothing usable. Names of `headers` in lower case."""
    said = headers.get("retry-after", "").strip()
    try:
        wait_s = float(said)
    except ValueError:
        wait_s = _seconds_until(said, headers.get("date", ""))
    if not math.isfinite(wait_s) or not 0 <= wait_s <= CAP_S:
        return None
    return now_ms + math.ceil(wait_s * 1000)


def _seconds_until(said: str, now: str) -> float:
    """Between two HTTP dates: the other's clock is measured by itself, ours may differ."""
    try:
        return (parsedate_to_datetime(said) - parsedate_to_datetime(now)).total_seconds()
    except (ValueError, TypeError):
        return math.nan
