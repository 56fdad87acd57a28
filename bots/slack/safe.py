"""Markdown of a model -> Markdown that Slack shows and that cannot ping, command or preview anything. Pure.

Theory. Slack's three control characters are `& < >`; `<!channel>`, `<@U1>`, `<#C1>` act wherever they are parsed.
Outside of code they become entities; inside code, where entities would be seen and `<!-- -->` is common, only what
Slack would act on is taken apart, by an invisible word joiner. Plain `@channel` is taken apart, too. An answer is
appended to while it grows, so the result for a text must begin with the result for every beginning of it: everything
is decided from the left, at most the last few characters are held back (`whole=False`) until it is clear what they
are. An inline code span therefore counts as code from its first backtick on, even if it is never closed; that is safe,
because code is safe.
Must not know: how long a message may be.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_JOINER = "\u2060"  # invisible, no break
_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})(.*)")
_QUOTE = re.compile(r"(?:[ \t]*(?:>|[-*+]|\d{1,9}[.)]))*[ \t]*")
_PINGS = ("channel", "here", "everyone")
_DANGEROUS = re.compile(r"<(?=!(?:channel|here|everyone|subteam|date)|@[UWB][A-Z0-9]|#[CG][A-Z0-9])")
_UNDECIDED = re.compile(r"<(?:![a-z]{0,8}|[@#][A-Z]?)?$")  # might become one of them
_LINKING = re.compile(r"<(?=[!@#]|https?:|mailto:)")
_LOUD = re.compile(r"(?<![\w.])@(?=channel|here|everyone)")


@dataclass(slots=True)
class _State:
    fence: str = ""  # the marks of the code block that is open
    span: int = 0  # backticks of the inline code that is open


def safe(text: str, *, whole: bool = True) -> str:
    """The text made harmless. `whole=False`: more will follow, what is not decided yet is left out."""
    state = _State()
    parts: list[str] = []
    lines = text.split("\n")
    for number, line in enumerate(lines):
        last = number == len(lines) - 1
        parts.append(_line(line, state, open_end=last and not whole))
        if not last:
            parts.append("\n")
    return "".join(parts)


def lean(text: str) -> str:
    """The text made harmless without growing; for what would not fit otherwise."""
    return _LOUD.sub("\uff20", _LINKING.sub("\u2039", text))


def fitted(text: str, most: int) -> str:
    """The text made harmless within `most` characters, of which `text` itself has no more."""
    found = safe(text)
    return found if len(found) <= most else lean(text)


def escaped(text: str) -> str:
    """Plain text as it stands in a `text` field or in mrkdwn."""
    plain = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _LOUD.sub(f"@{_JOINER}", plain)


def _line(line: str, state: _State, *, open_end: bool) -> str:
    if not line.strip():
        state.span = 0
        return line
    fence = _FENCE.match(line)
    if state.fence:
        if fence is not None and fence[1].startswith(state.fence) and not fence[2].strip():
            state.fence = ""
            return line
        return _code(line, open_end=open_end)
    if fence is not None and (fence[1][0] == "~" or "`" not in fence[2]):
        if open_end and state.span == len(fence[1]) and fence[1][0] == "`":
            return line[: fence.end(1)]  # one more backtick in this line, and the marks end inline code
        state.fence, state.span = fence[1], 0
        return _code(line, open_end=open_end)
    return _text(line, state, open_end=open_end)


def _code(text: str, *, open_end: bool) -> str:
    if open_end and (tail := _UNDECIDED.search(text)) is not None:
        text = text[: tail.start()]
    return _DANGEROUS.sub(f"<{_JOINER}", text)


def _text(line: str, state: _State, *, open_end: bool) -> str:
    """A line outside of code blocks, with its inline code."""
    quoted = _QUOTE.match(line)
    at = quoted.end() if quoted is not None and not state.span else 0
    found = [line[:at]]
    while at < len(line):
        if line[at] == "`":
            at = _backticks(line, at, state, found)
        elif state.span:
            end = line.find("`", at)
            stop = len(line) if end == -1 else end
            found.append(_code(line[at:stop], open_end=open_end and stop == len(line)))
            at = stop
        elif line.startswith(("\\`", "\\\\"), at):
            found.append(line[at : at + 2])
            at += 2
        elif line[at] == "@" and _loud(line, at):
            if open_end and not _decided(line, at):
                break
            found.append(f"@{_JOINER}" if line.startswith(_PINGS, at + 1) else "@")
            at += 1
        else:
            found.append(_character(line[at]))
            at += 1
    return "".join(found)


def _backticks(line: str, at: int, state: _State, found: list[str]) -> int:
    end = at
    while end < len(line) and line[end] == "`":
        end += 1
    found.append(line[at:end])
    if not state.span:
        state.span = end - at
    elif state.span == end - at:
        state.span = 0
    return end


def _character(character: str) -> str:
    match character:
        case "&":
            return "&amp;"
        case "<":
            return "&lt;"
        case ">":
            return "&gt;"
        case _:
            return character


def _loud(line: str, at: int) -> bool:
    """Whether a mention of everybody can begin here."""
    return not (at and (line[at - 1].isalnum() or line[at - 1] in "_."))


def _decided(line: str, at: int) -> bool:
    """Whether what follows the @ is known to be such a mention, or known not to be one."""
    rest = line[at + 1 :]
    return any(rest.startswith(each) for each in _PINGS) or not any(each.startswith(rest) for each in _PINGS)
