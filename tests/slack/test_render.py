"""What is sent to Slack: harmless, within the limits, and readable."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bots.slack import limits, render
from bots.slack.ids import Ref
from bots.slack.interactions import Origin
from bots.slack.leaf import Leaf, Mode, chunks
from bots.slack.mrkdwn import mrkdwn
from bots.slack.safe import fitted, lean, safe
from core.domain.decision import Choices, Form, FormField
from core.domain.entities import Button, ButtonStyle, Card
from core.domain.keys import ButtonId, Place
from tests.kit.slack_rules import check_blocks, check_message, check_view

SUBJECT = "01J000000000000000000SESSN"
PINGS = re.compile(r"<(?:!(?:channel|here|everyone|subteam|date)|@[UWB][A-Z0-9]|#[CG][A-Z0-9])")
LOUD = re.compile(r"(?<![\w.])@(?:channel|here|everyone)")
_WORDS = (
    "channel here a date C1 U1 <!channel> <@U12> <#C12> <!-- <!subteam^S1> @here ** http://x.y ` `` ``` ~~~ < > & ! @ #"
)
PIECES = st.sampled_from([*_WORDS.split(), "\n", "\n\n", " ", "- ", "1. ", "\\", "| x |"])
MARKDOWN = st.lists(PIECES, max_size=40).map("".join)


def button(verb: str, label: str = "Label", **more: object) -> Button:
    """A button."""
    return Button(id=str(ButtonId(verb=verb, subject=SUBJECT)), label=label, **more)  # type: ignore[arg-type]


@settings(max_examples=600)
@given(MARKDOWN)
def test_nothing_that_a_model_writes_pings(text: str) -> None:
    """The model would wake up a whole company."""
    for made in (safe(text), fitted(text, max(len(text), 1)), mrkdwn(text)):
        assert not PINGS.search(made)
    outside = re.sub(r"`[^`]*`", "", safe(text).replace("```", ""))
    assert not LOUD.search(outside) or "`" in text or "~~~" in text


@settings(max_examples=600)
@given(MARKDOWN)
@example("-```\n```<-`")  # marks that open a block until a backtick follows, and then end inline code
@example("a```\n```@here`")
def test_a_growing_text_only_grows(text: str) -> None:
    """What was appended to a stream could not be taken back."""
    whole, before = safe(text), ""
    for end in range(len(text) + 1):
        shown = safe(text[:end], whole=False)
        assert shown.startswith(before)
        assert whole.startswith(shown)
        before = shown


@given(MARKDOWN)
def test_what_must_fit_fits(text: str) -> None:
    """Escaping makes a text longer than Slack takes."""
    assert len(lean(text)) == len(text)
    assert len(fitted(text, max(len(text), 1))) <= max(len(text), 1) or not text


def test_code_stays_as_it_is() -> None:
    """Copied code would not run: no entities, and nothing invisible but in what Slack would act on."""
    code = "```html\n<!DOCTYPE html><!-- a & b --> <p>x < y</p>\n```"
    assert safe(code) == code
    assert safe("`a < b && c`") == "`a < b && c`"
    assert html.unescape(safe("a < b & c")) == "a < b & c"
    assert safe("> a quote\n- > nested") == "> a quote\n- > nested"


@settings(max_examples=200)
@given(st.text(max_size=60), st.integers(0, 60), st.integers(0, 60))
def test_a_message_knows_how_far_it_has_come(text: str, start: int, more: int) -> None:
    """After a stream died the rest would be said twice, or not at all."""
    start = min(start, len(text))
    leaf = Leaf(ref=Ref(channel="C1", ts="1.0", start=start, roll=1), mode=Mode.STREAM)
    reached = min(start + more, len(text))
    leaf.said = safe(render.stretch(text[:reached], start), whole=False)
    found = leaf.reached(text)
    if found is not None:
        assert safe(render.stretch(text[:found], start)) == leaf.said


@given(st.text(max_size=200).map(lambda text: text * 300))
def test_appends_are_within_the_limit(text: str) -> None:
    """One append takes twelve thousand characters."""
    found = chunks(text)
    assert "".join(found) == text
    assert all(0 < len(each) <= limits.ANSWER_MAX_CHARS for each in found)


def test_buttons_of_every_kind() -> None:
    """Styles, owners, menus: as Slack takes them."""
    buttons = (
        button("resume", style=ButtonStyle.PRIMARY, for_user="U1"),
        button("end", style=ButtonStyle.DANGER),
        button("mute_here", in_menu=True),
        button("mute_all", "x" * 200, in_menu=True),
    )
    blocks = render.answer("text", buttons)
    check_blocks(blocks, surface="message")
    row: dict[str, Any] = blocks[1]  # type: ignore[assignment]
    assert [element["type"] for element in row["elements"]] == ["button", "button", "overflow"]


@settings(max_examples=100)
@given(MARKDOWN, st.integers(0, 60))
def test_messages_are_as_slack_takes_them(text: str, count: int) -> None:
    """Slack would refuse the message: too long, too many buttons, an empty block."""
    buttons = tuple(button(f"v{n}", "label " * 40) for n in range(count))
    long = (text * 400)[:12_000]
    check_message({"text": render.fallback(long), "blocks": render.answer(long, buttons)})
    card = Card(id="1", session_id="2", key="idle:1", place=PLACE, text=text[:3_000], buttons=buttons[:20])
    check_message({"text": render.fallback(card.text), "blocks": render.card(card)}, updating=True)


PLACE = Place(platform="slack", workspace="T1", channel="C1", thread="1.0")


@settings(max_examples=40)
@given(MARKDOWN, st.integers(1, 130))
def test_windows_are_as_slack_takes_them(text: str, count: int) -> None:
    """Slack would refuse the window."""
    origin = Origin(channel="C1", thread="1.0")
    buttons = tuple(button(f"v{n}") for n in range(min(count, 60)))
    long = text * 50
    check_view(render.notice(long, long, buttons, origin), "modal")
    fields = tuple(FormField(id=f"f{n}", label=text or "x", max_chars=9_999, long=True) for n in range(3))
    check_view(render.form(Form(title=text, submit=button("correct"), fields=fields), origin, "Close"), "modal")
    options = tuple(button(f"v{n}", text or "x") for n in range(count))
    check_view(render.choices(Choices(text=text or "?", options=options), "Choose", "Go", origin), "modal")
    check_view(render.home("*Hello*", long, buttons, origin), "home")


def test_markdown_in_windows() -> None:
    """Windows have another markup; lists, links and code survive it."""
    made = mrkdwn("# Title\n\n- **one** [link](https://a.b/?x=1&y=2)\n- two `a<b`\n\n> quote\n\n```\ncode\n```")
    assert made == "*Title*\n• *one* <https://a.b/?x=1&amp;y=2|link>\n• two `a&lt;b`\n> quote\n```\ncode\n```"
    assert mrkdwn("[x](javascript:alert(1))") == "[x](javascript:alert(1))"


@pytest.mark.parametrize(
    ("key", "verbs", "status"),
    [
        ("idle:1", ("resume", "keep", "end"), "suspended"),
        ("idle:1", ("resume",), "closed"),
        ("idle:1", (), "active"),
        ("approval:1", ("approve",), "suspended"),
        ("approval:1", (), "active"),
        ("memory:1", ("summary",), ""),
    ],
)
def test_what_a_card_makes_of_the_session(key: str, verbs: tuple[str, ...], status: str) -> None:
    """Slack's session list would show the wrong state."""
    buttons = tuple(button(verb) for verb in verbs)
    card = Card(id="1", session_id="2", key=key, place=PLACE, text="x", buttons=buttons)
    assert render.session_status(card) == status
