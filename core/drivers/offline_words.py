"""What the offline demo model says, as a function of the conversation alone.

Knows: how to find the earlier sentence that a question is about, and a few set pieces.
Must not know: streaming, time, chance, any network. English only.

A question is answered by quoting: the earlier sentence that shares the most content words with it, of two
equal ones the later, since people correct themselves. When less than half of the question's content words
stand in one sentence there is no match, and it says so.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from core.domain.prompt_words import CONTINUE_PREFIX
from core.drivers.offline_texts import CAPABILITIES, INTRO, THINGS_TO_TRY, code, count, story

_ASKED_MAX = 8  # messages that one answer goes into
_REMEMBER_MAX = 8  # sentences in a list of what was said
_QUOTE_CHARS = 300

_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)?")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
_NOTE = re.compile(r"\[(?P<note>.*?)\](?:\n|$)", re.DOTALL)  # what the memory level says, before a person's words
_QUOTED = re.compile(r"</?(heard|file|message|summary)\b[^>\n]*>")  # around what others said, files, summaries
_NAMED = re.compile(r"<message from=[^\n]*>\n(.*?)\n</message>", re.DOTALL)  # where several people talk
_CORRECTION = re.compile(
    r"^Correction by the person \([^)\n]*\): (?P<words>.+?)\s*</summary>", re.DOTALL | re.MULTILINE
)
_QUOTE_MARKS = "\"'\u201c\u201d\u2018\u2019"

_AUXILIARY = r"(is|are|am|was|were|do|does|did|can|could|will|would|should|have|has|had)"
_SUBJECT = r"(i|we|you|he|she|it|they|there|the|my|our|your|his|her|their|this|that|these|those|any|a|an)"
_ORDER = (
    r"(please )?(answer|calculate|compare|compute|describe|draft|explain|find|fix|look up|make|plan|search"
    r"|suggest|summari[sz]e|translate|write)"
)
_QUESTION_START = re.compile(
    rf"((what|what's|whats|who|who's|whose|which|why|how)\b|(when|where) {_AUXILIARY}\b"
    rf"|{_AUXILIARY} {_SUBJECT}\b|{_ORDER} (me|us|for|how|what|why|to|{_SUBJECT})\b"
    r"|remind me (of|what|who|when|where|which|how|about)\b"
    r"|tell me (about|what|who|when|where|which|how|my|the|our)\b)",
    re.IGNORECASE,
)
_ASKS_WHAT_WAS = re.compile(r"(what|who|when|where|which|why|how|did|was|were|do you remember)\b", re.IGNORECASE)
_GREETING = re.compile(r"^(hi|hello|hey|good (morning|afternoon|evening))\b.{0,20}$", re.IGNORECASE)
_THANKS = re.compile(r"^(thanks|thank you|thx|great|perfect|ok|okay|cool)\b.{0,30}$", re.IGNORECASE)
_STORY = re.compile(r"\b(story|tale|long (text|answer|essay|poem)|essay)\b", re.IGNORECASE)
_ABOUT = re.compile(r"\babout\s+([^.!?\n]{1,60})", re.IGNORECASE)
_COUNT = re.compile(r"\bcount\s+(?:up\s+)?to\s+(\d{1,4})\b", re.IGNORECASE)
_CODE = re.compile(
    r"\b(show|write|give)\b.{0,30}\b(code|script|function|snippet|program)\b|\bcode example\b", re.IGNORECASE
)
_WHO = re.compile(r"\b(who|what) are you\b|\bwhat can you do\b|\bhow do you work\b|^help\b", re.IGNORECASE)
_LIST = re.compile(r"\b(list|bullet|bullets|checklist)\b", re.IGNORECASE)
_REMEMBER = re.compile(
    r"\b(what|everything|all)\b.{0,30}\b(told you|remember|know about me|i said|we (said|discussed|talked))\b"
    r"|\b(summar|recap)",
    re.IGNORECASE,
)
_STOP_WORDS = """
    a about again ago all also am an and any are as at be been before but by can could did do does
    doing earlier for from had has have he her here him his how i i'm if in is it it's its just know
    let like may me mention mine my no not now of on or our please recall remember remind said say
    says she should so some tell that the their them then there these they thing this to told us was
    we were what what's when where which who who's whose why will with would yes you your yours
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """A request as the demo model reads it."""

    asked: tuple[str, ...]  # what a person has just written, one or several messages
    earlier: tuple[str, ...]  # sentences that people said before, oldest first
    notes: tuple[str, ...]  # sentences that the program put before their words: what is kept, summaries
    partial: str  # what a cut answer had already said
    first: bool  # nothing was answered in this conversation yet
    heard_bytes: int


def read(messages: Sequence[Mapping[str, object]]) -> Talk:
    """Take a request's messages apart; trailing pairs assistant{partial} user{[Continue]} are put aside."""
    said = [(str(message.get("role", "")), _texts(message.get("content"))) for message in messages]
    partial = ""
    while said and said[-1][0] == "user" and any(text.startswith(CONTINUE_PREFIX) for text in said[-1][1]):
        said.pop()
        if said and said[-1][0] == "assistant":
            partial = "".join(said.pop()[1]) + partial
    last = said.pop()[1] if said and said[-1][0] == "user" else []
    last = [_NAMED.sub(r"\1", text) for text in last]
    heard = [text for role, texts in said if role == "user" for text in texts]
    corrected = [found["words"] for text in heard for found in _CORRECTION.finditer(text)]
    heard = [_CORRECTION.sub("", text) for text in heard]
    own = [words for _, words in map(_apart, last) if words.strip() and not _QUOTED.match(words)]
    quoted = [words for _, words in map(_apart, last) if _QUOTED.match(words)]
    return Talk(
        asked=tuple(own[-_ASKED_MAX:]),
        earlier=tuple(_sentences(*(words for _, words in map(_apart, heard)), *quoted, *corrected)),  # the last wins
        notes=tuple(_sentences(*(note for note, _ in map(_apart, heard + last)))),
        partial=partial,
        first=not any(role == "assistant" and any(texts) for role, texts in said),
        heard_bytes=sum(len(text.encode(errors="replace")) for text in heard + last),
    )


def answer(talk: Talk) -> str:
    """The whole answer; the same talk has the same one, whatever of it has been said already."""
    paragraphs = [INTRO] if talk.first else []
    earlier = list(talk.earlier)
    noted: list[str] = []
    for asked in talk.asked:
        if text := _set_piece(asked, earlier or talk.notes) or _found(asked, [*talk.notes, *earlier]):
            paragraphs += [_acknowledge(noted)] if noted else []
            paragraphs.append(text)
            noted = []
        else:
            noted += _sentences(asked)
        earlier += _sentences(asked)
    paragraphs += [_acknowledge(noted)] if noted else []
    return "\n\n".join(paragraphs) or "I got no text to answer. Write something, and I will."


def _set_piece(question: str, earlier: Sequence[str]) -> str:
    """The answers that need no match with what was said; "" when none fits."""
    pieces: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
        (_WHO, lambda _: CAPABILITIES),
        (_COUNT, lambda found: count(int(found.group(1)))),
        (_REMEMBER, lambda _: _remembered(earlier)),
        (_CODE, lambda _: code()),
        (_STORY, lambda _: "" if _asks_what_was(question) else _story(question)),
        (_LIST, lambda _: "" if _asks_what_was(question) else f"Things to try here:\n\n{THINGS_TO_TRY}"),
        (_GREETING, lambda _: "Hello! Tell me something, and ask me about it later."),
        (_THANKS, lambda _: "Glad to help. I am here when you come back."),
    )
    matches = ((found, say) for pattern, say in pieces if (found := pattern.search(question)))
    return next((text for found, say in matches if (text := say(found))), "")


def _story(request: str) -> str:
    about = _ABOUT.search(request)
    return story(about.group(1).strip() if about else "")


def _is_question(text: str) -> bool:
    return text.rstrip(_QUOTE_MARKS + " ").endswith("?") or bool(_QUESTION_START.match(text))


def _asks_what_was(text: str) -> bool:
    """Whether it asks for words said before ("what was the story?"), not for new ones ("tell me a story")."""
    return bool(_ASKS_WHAT_WAS.match(text))


def _found(question: str, earlier: Sequence[str]) -> str:
    """What was said before that answers it, or that nothing was; "" when it is no question."""
    if not _is_question(question):
        return ""
    found = best_match(question, earlier)
    if found is None:
        return (
            "I found nothing in this conversation that answers that. As the offline demo model I only know "
            "what was written here: tell me, and ask again."
        )
    return f"Earlier in this conversation it was said:\n\n> {_short(found)}"


def best_match(question: str, earlier: Sequence[str]) -> str | None:
    """The earlier sentence that the question is most likely about, None when none shares enough words."""
    wanted = _content(question)
    needed = max(1, -(-len(wanted) // 2))
    pairs = _neighbours(question)
    best: tuple[tuple[int, int, int], str] | None = None
    for place, sentence in enumerate(earlier):
        shared = len(wanted & _content(sentence))
        if shared < needed:
            continue
        rank = (shared - 2 * _is_question(sentence), len(pairs & _neighbours(sentence)), place)
        if best is None or rank > best[0]:
            best = (rank, sentence)
    return best[1] if best else None


def _acknowledge(sentences: Sequence[str]) -> str:
    noted = "\n".join(f"> {_short(sentence)}" for sentence in sentences[:_REMEMBER_MAX])
    more = len(sentences) - _REMEMBER_MAX
    rest = f"\n\n… and {more} more." if more > 0 else ""
    return f"Noted:\n\n{noted}{rest}\n\nAsk me about it whenever you like, also after a break."


def _remembered(earlier: Sequence[str]) -> str:
    statements = [sentence for sentence in earlier if not _is_question(sentence)]
    if not statements:
        return "Nothing yet: you have not told me anything in this conversation that I can still see."
    lines = "\n".join(f"- {_short(sentence)}" for sentence in statements[-_REMEMBER_MAX:])
    return f"This is what was said in this conversation, the latest last:\n\n{lines}"


def _apart(text: str) -> tuple[str, str]:
    """A text as the prompt composer makes it: the note in square brackets at its head, and the words."""
    found = _NOTE.match(text)
    return (found["note"], text[found.end() :]) if found else ("", text)


def _texts(content: object) -> list[str]:
    if isinstance(content, str):
        return [content]
    blocks = content if isinstance(content, Sequence) else ()
    return [block["text"] for block in blocks if isinstance(block, Mapping) and isinstance(block.get("text"), str)]


def _sentences(*texts: str) -> Iterator[str]:
    for text in texts:
        for sentence in _SENTENCE_END.split(_QUOTED.sub("", text)):
            if _WORD.search(sentence):
                yield sentence.strip(" \t>-*•")


def _words(text: str) -> list[str]:
    return [_stem(word.lower().replace("\u2019", "'")) for word in _WORD.findall(text)]


def _stem(word: str) -> str:
    word = word.removesuffix("'s")
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):  # noqa: PLR2004 - short words stay whole
            return word.removesuffix(ending)
    return word


def _content(text: str) -> frozenset[str]:
    return frozenset(word for word in _words(text) if word not in _STOP_STEMS)


def _neighbours(text: str) -> frozenset[tuple[str, str]]:
    words = _words(text)
    return frozenset(itertools.pairwise(words))


def _short(text: str) -> str:
    return text if len(text) <= _QUOTE_CHARS else text[: _QUOTE_CHARS - 1].rstrip() + "…"


_STOP_STEMS = frozenset(_stem(word) for word in _STOP_WORDS.split())
