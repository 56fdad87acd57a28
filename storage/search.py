"""Search in a person's own conversations: words, not phrases, newest first.

Knows: which rows are a person's own, and how much of a text is told. A scan and no index: a person's own words are few,
and what is deleted is deleted in one place. Must not know: who may read what (`core.domain.rules.finding`).
Functions of a read connection, or of the writer's.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence

from core.domain.decision import Found
from core.domain.keys import Audience, SessionKey
from storage.rows import SEQ_BITS, SEQ_MASK, clean

WORDS_MAX = 8  # of a query
HITS_MAX = 2_000  # messages that are looked at, newest first
EXCERPTS_MAX = 2  # of one conversation
_AROUND_CHARS = 140  # of a message, before and behind its first match
_WORD = re.compile(r"\w{2,}")
_MANY_WORDS = 2  # of a longer query half of the words are enough
_FIRST_PATTERN = 6  # number of the parameter
_HITS = (
    "SELECT s.id, s.title, s.home, s.audience, s.last_human_ms, m.text FROM session AS s"
    " JOIN message AS m ON m.id >= s.num << ?1 AND m.id < (s.num + 1) << ?1"
    " WHERE s.owner = ?2 AND s.phase <> 'erased' AND m.role IN ('user', 'assistant')"
    " AND (s.id <> ?3 OR m.id & ?4 < s.fresh_from_seq) AND ({})"
    " ORDER BY s.last_human_ms DESC, m.id DESC LIMIT ?5"
)


def search(conn: sqlite3.Connection, identity: str, query: str, *, here: str, limit: int) -> tuple[Found, ...]:
    """See `ToolReads.search`."""
    words = list(dict.fromkeys(_WORD.findall(clean(query).casefold())))[:WORDS_MAX]
    if not words:
        return ()
    patterns = [each for word in words for each in _variants(word)]
    likes = (f"m.text LIKE ?{n} ESCAPE '\\'" for n in range(_FIRST_PATTERN, _FIRST_PATTERN + len(patterns)))
    sql = _HITS.format(" OR ".join(likes))
    values = (SEQ_BITS, identity, here, SEQ_MASK, HITS_MAX, *patterns)
    needed = -(-len(words) // 2) if len(words) > _MANY_WORDS else len(words)
    best: dict[str, Found] = {}
    ranks: dict[str, int] = {}
    for session_id, title, home, audience, last_ms, text in conn.execute(sql, values):
        rank = sum(word in text.casefold() for word in words)
        if rank < needed:
            continue
        known = best.get(session_id)
        excerpts = (*known.words, _excerpt(text, words)) if known else (_excerpt(text, words),)
        best[session_id] = Found(
            session_id=session_id,
            title=title,
            home=SessionKey.parse(home),
            audience=Audience(audience),
            last_human_ms=last_ms,
            words=excerpts[:EXCERPTS_MAX],
        )
        ranks[session_id] = max(rank, ranks.get(session_id, 0))
    order = sorted(best.values(), key=lambda each: (-ranks[each.session_id], -each.last_human_ms))
    return tuple(order[:limit])


def _variants(word: str) -> Sequence[str]:
    """Patterns for a word: LIKE knows upper and lower case of ASCII only."""
    forms = (word,) if word.isascii() else (word, word.capitalize(), word.upper())
    return ["%" + form.replace("_", "\\_") + "%" for form in dict.fromkeys(forms)]


def _excerpt(text: str, words: Sequence[str]) -> str:
    low = text.casefold()
    at = min((low.find(word) for word in words if word in low), default=0)
    start, end = max(0, at - _AROUND_CHARS), at + _AROUND_CHARS
    return ("…" if start else "") + text[start:end] + ("…" if end < len(text) else "")
