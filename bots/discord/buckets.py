"""Discord's rate limits as they are told in headers: who may send now, and who waits how long.

Knows: buckets per route and channel, the global limit, and the brake against a storm of invalid requests (docs:
topics/rate-limits). Limits are read, never assumed; a bucket that is not known yet lets one request through and learns.
`spare` tokens are left over by whoever can wait, so that a final text never stands behind a draft of another.
Must not know: HTTP, what is sent. Times are seconds of a clock that never steps.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass

EXEMPT = "/{interaction}"  # in the template of a route that the global limit does not count
GLOBAL_PER_S = 45  # Discord allows 50 a second for a bot; other processes of ours may share it
BUCKETS_KEPT = 2_000
RESET_MAX_S = 3_600.0  # whatever a header says
INVALID_WINDOW_S = 600.0
INVALID_MAX = 5_000  # half of what bans an address (docs: invalid request limit)
_SLACK_S = 0.05  # a bucket resets a little later than the header's rounding says


@dataclass(slots=True)
class _Bucket:
    """`left` tokens until `resets_at`; then `limit` again."""

    limit: int = 1
    left: int = 1
    resets_at: float = 0.0
    flying: int = 0


class Buckets:
    """All limits of one bot."""

    def __init__(self) -> None:
        self._hashes: dict[str, str] = {}
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._second = 0.0
        self._in_second = 0
        self._closed_until = 0.0
        self._invalid: deque[float] = deque()

    def wait_s(self, route: str, major: str, now: float, *, spare: int = 0) -> float:
        """How long to wait before a request may go; 0 takes a token for it."""
        counted = EXEMPT not in route
        closed = max(self._closed_until - now, self._brake_s(now))
        if counted and closed > 0:
            return closed
        bucket = self._of(route, major)
        if bucket.resets_at and now >= bucket.resets_at:
            bucket.left, bucket.resets_at = max(bucket.limit - bucket.flying, 0), 0.0
        if bucket.left <= min(spare, bucket.limit - 1):
            return max(bucket.resets_at - now, _SLACK_S)
        if counted:
            if now - self._second >= 1.0:
                self._second, self._in_second = now, 0
            if self._in_second >= GLOBAL_PER_S:
                return self._second + 1.0 - now
            self._in_second += 1
        bucket.left -= 1
        bucket.flying += 1
        return 0.0

    def answered(self, route: str, major: str, headers: Mapping[str, str], now: float) -> None:
        """A request has its answer: learn from its headers."""
        bucket = self._of(route, major)
        bucket.flying = max(0, bucket.flying - 1)
        name = headers.get("X-RateLimit-Bucket", "")
        if name and self._hashes.get(route) != name:
            self._hashes[route] = name
            self._buckets[f"{name}:{major}"] = bucket
        found = _told(headers)
        if found is None:
            bucket.left = max(bucket.left, 1)
            return
        limit, left, after_s = found
        resets_at = now + after_s + _SLACK_S
        told = max(0, left - bucket.flying)
        newer = resets_at > bucket.resets_at + _SLACK_S
        bucket.limit = max(1, limit)
        bucket.left = told if newer or not bucket.resets_at else min(bucket.left, told)
        bucket.resets_at = resets_at

    def unanswered(self, route: str, major: str) -> None:
        """A request has got no answer: its token may be spent."""
        bucket = self._of(route, major)
        bucket.flying = max(0, bucket.flying - 1)
        bucket.left = max(bucket.left, 1)

    def refused(self, route: str, major: str, retry_s: float, now: float, *, everywhere: bool) -> None:
        """429: nothing goes this way (or anywhere) for so long."""
        if everywhere:
            self._closed_until = max(self._closed_until, now + retry_s)
            return
        bucket = self._of(route, major)
        bucket.left, bucket.resets_at = 0, now + retry_s + _SLACK_S

    def invalid(self, now: float) -> None:
        """A 401, 403, or a 429 that is ours: too many of them ban the address."""
        self._invalid.append(now)

    def left(self, route: str, major: str, now: float) -> int:
        """How many requests could go this way now."""
        bucket = self._of(route, major)
        return bucket.limit if bucket.resets_at and now >= bucket.resets_at else bucket.left

    def _brake_s(self, now: float) -> float:
        while self._invalid and now - self._invalid[0] > INVALID_WINDOW_S:
            self._invalid.popleft()
        return self._invalid[0] + INVALID_WINDOW_S - now if len(self._invalid) >= INVALID_MAX else 0.0

    def _of(self, route: str, major: str) -> _Bucket:
        key = f"{self._hashes.get(route, route)}:{major}"
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket()
            while len(self._buckets) > BUCKETS_KEPT and not next(iter(self._buckets.values())).flying:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(key)
        return bucket


def _told(headers: Mapping[str, str]) -> tuple[int, int, float] | None:
    """A bucket's size, what is left of it, and for how many seconds; None when that is not told in numbers."""
    left, after = headers.get("X-RateLimit-Remaining"), headers.get("X-RateLimit-Reset-After")
    if left is None or after is None:
        return None
    try:
        return int(headers.get("X-RateLimit-Limit", left)), int(left), min(max(float(after), 0.0), RESET_MAX_S)
    except ValueError:
        return None
