"""The rate limits of the loopback Discord: buckets per route and channel, the global one, and what 429 looks like.

Knows: headers and bodies of discord-api-docs, topics/rate-limits. Must not know: what a request does.
`invalid` counts 401, 403 and 429 answers: 10,000 of them in 10 minutes are a ban on the real thing.
"""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import dataclass

GLOBAL_PER_S = 50
_MAJOR = re.compile(r"/(channels|guilds|webhooks|interactions)/(\d+)")


@dataclass(slots=True)
class _Window:
    """Tokens that are left until `ends` (monotonic seconds)."""

    left: int
    ends: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the limiter says to a request. `headers` go on every answer; `retry_s` set: it is a 429."""

    headers: dict[str, str]
    retry_s: float | None = None
    scope: str = "user"


class Limits:
    """`rules`: (method, path pattern) -> (tokens, seconds); the first that matches. Interactions are exempt."""

    def __init__(self) -> None:
        self.rules: list[tuple[str, str, int, float]] = [
            ("POST", r"/channels/\d+/messages$", 5, 5.0),
            ("PATCH", r"/channels/\d+/messages/\d+$", 5, 5.0),
            ("PUT", r"/reactions/", 1, 0.25),
            ("", r"", 50, 1.0),
        ]
        self.global_per_s = GLOBAL_PER_S
        self.invalid = 0
        self.refused = 0
        self._windows: dict[str, _Window] = {}
        self._global = _Window(GLOBAL_PER_S, 0.0)
        self._global_until = 0.0

    def speed_up(self) -> None:
        """No limits: for tests that are about something else."""
        self.rules = [("", "", 100_000, 1.0)]
        self.global_per_s = 100_000

    def close_globally(self, seconds: float) -> None:
        """Every request is a 429 for so long."""
        self._global_until = time.monotonic() + seconds

    def judge(self, method: str, path: str) -> Verdict:
        """Take a token, or say when there is one again."""
        if path.startswith(("/interactions/", "/webhooks/")):
            return Verdict(headers={})
        now = time.monotonic()
        if now < self._global_until:
            return Verdict(headers={}, retry_s=self._global_until - now, scope="global")
        if now >= self._global.ends:
            self._global = _Window(self.global_per_s, now + 1.0)
        if self._global.left <= 0:
            return Verdict(headers={}, retry_s=self._global.ends - now, scope="global")
        self._global.left -= 1
        return self._bucket(method, path, now)

    def _bucket(self, method: str, path: str, now: float) -> Verdict:
        fits = (each for each in self.rules if each[0] in ("", method) and re.search(each[1], path))
        rule_method, pattern, tokens, seconds = next(fits)
        name = hashlib.sha256(f"{rule_method}{pattern}".encode()).hexdigest()[:12]
        major = _MAJOR.search(path)
        window = self._windows.get(key := f"{name}:{major[0] if major else ''}")
        if window is None or now >= window.ends:
            window = self._windows[key] = _Window(tokens, now + seconds)
        left_s = window.ends - now
        headers = {
            "X-RateLimit-Limit": str(tokens),
            "X-RateLimit-Reset": f"{time.time() + left_s:.3f}",
            "X-RateLimit-Reset-After": f"{left_s:.3f}",
            "X-RateLimit-Bucket": name,
        }
        if window.left <= 0:
            return Verdict(headers=headers | {"X-RateLimit-Remaining": "0"}, retry_s=left_s)
        window.left -= 1
        return Verdict(headers=headers | {"X-RateLimit-Remaining": str(window.left)})


def refusal_headers(retry_s: float, scope: str) -> dict[str, str]:
    """The headers of a 429 that Discord itself gives."""
    headers = {"Retry-After": f"{retry_s:.3f}", "X-RateLimit-Scope": scope, "Via": "1.1 google"}
    return headers | ({"X-RateLimit-Global": "true"} if scope == "global" else {})


def refusal_body(retry_s: float, scope: str) -> dict[str, object]:
    """The body of such a 429."""
    return {"message": "You are being rate limited.", "retry_after": round(retry_s, 3), "global": scope == "global"}
