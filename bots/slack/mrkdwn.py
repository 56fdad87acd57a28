"""Markdown -> Slack's mrkdwn, for modals and the Home, where there are no `markdown` blocks. Pure.

Knows: headings and strong become *bold*, emphasis _italic_, links <url|text>, lists bullets; text is escaped. Must not
know: where it is shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token

from bots.slack.safe import escaped

_PARSER = MarkdownIt("commonmark", {"html": False}).enable("strikethrough")
_OPENING = ("bullet_list_open", "ordered_list_open", "blockquote_open")
_CLOSING = ("bullet_list_close", "ordered_list_close", "blockquote_close")
_MARKS = {"strong": "*", "em": "_", "s": "~"}


def mrkdwn(text: str) -> str:
    """The text as mrkdwn; never pings, never previews."""
    page = _Page()
    for token in _PARSER.parse(text):
        page.take(token)
    return "\n".join(page.lines).strip()


class _Page:
    """Lines, and how deep in lists and quotes the next one stands."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._prefix: list[str] = []
        self._bullet = ""

    def take(self, token: Token) -> None:
        """The next token."""
        if token.type in _OPENING:
            self._prefix.append("> " if token.type == "blockquote_open" else "    " * bool(self._prefix))
        elif token.type in _CLOSING:
            self._prefix.pop()
        elif token.type == "list_item_open":
            self._bullet = f"{token.info}{token.markup} " if token.info else "• "
        elif token.type == "inline":
            self.lines.append("".join(self._prefix) + self._bullet + _inline(token.children or []))
            self._bullet = ""
        else:
            self._block(token)

    def _block(self, token: Token) -> None:
        match token.type:
            case "heading_close":
                self.lines[-1] = f"*{self.lines[-1].replace('*', '')}*"
            case "fence" | "code_block":
                self.lines.append(f"```\n{escaped(token.content.rstrip())}\n```")
            case "hr":
                self.lines.append("———")
            case "paragraph_close" if not token.hidden and not self._prefix:
                self.lines.append("")
            case _:
                pass


def _inline(tokens: Sequence[Token]) -> str:
    found: list[str] = []
    links: list[str] = []
    for token in tokens:
        name = token.type.rpartition("_")[0]
        if name in _MARKS:
            found.append(_MARKS[name])
        elif token.type == "link_open":
            links.append(_address(str(token.attrGet("href") or "")))
            found.append(f"<{links[-1]}|" if links[-1] else "")
        elif token.type == "link_close":
            found.append(">" if links.pop() else "")
        elif token.type == "code_inline":
            found.append(f"`{escaped(token.content)}`")
        elif token.type in ("softbreak", "hardbreak"):
            found.append("\n")
        else:
            found.append(escaped(token.content))
    return "".join(found)


def _address(target: str) -> str:
    """A link that mrkdwn can carry, "" for anything else."""
    try:
        scheme = urlsplit(target).scheme
    except ValueError:
        return ""
    bad = any(each in target for each in "<>|\n ")
    return escaped(target) if scheme in ("http", "https", "mailto") and not bad else ""
