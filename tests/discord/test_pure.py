"""The pure parts: names, payloads, rendering, limits; examples, and properties over whatever may come."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.discord import budget, ids, memory, render, wire, wire_acts, wire_rooms, words
from bots.discord.buckets import GLOBAL_PER_S, INVALID_MAX, Buckets
from bots.discord.markdown import for_discord
from bots.discord.progress import Progress
from bots.discord.rooms import ADMINISTRATOR, VIEW, Overwrite, Room, Server, our_rights, readers
from core.domain.decision import Choices, Form, FormField, Private
from core.domain.entities import Button
from core.domain.errors import BadInput
from core.domain.events import Address
from core.domain.keys import Audience, ButtonId
from core.domain.stamp import Stamp
from tests.kit.discord_checks import CONTENT_MAX, check_choices, check_components, check_message, check_modal

ME = "1000"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
LABELS = st.text(min_size=1, max_size=200).filter(lambda text: bool(text.strip()))


def buttons(labels: list[str], *, in_menu: bool = False) -> tuple[Button, ...]:
    """One button for each label."""
    first = 1_000 if in_menu else 0
    names = [str(ButtonId(verb="stop", subject="0" * 26, version=first + n)) for n in range(len(labels))]
    return tuple(Button(id=name, label=label, in_menu=in_menu) for name, label in zip(names, labels, strict=True))


# ------------------------------------------------------------------------------------------- names


@given(st.text(max_size=80))
def test_a_nonce_fits_and_is_the_same_in_every_process(key: str) -> None:
    """Two processes that post under one key must say one nonce, or the answer stands twice."""
    assert len(ids.nonce(key)) == 22
    assert ids.nonce(key) == ids.nonce(key)
    assert ids.nonce(key).isalnum()
    assert 0 < ids.mark(key) < 1 << 31


def test_a_nonce_is_what_it_was_in_the_last_release() -> None:
    """After an update the new release finds what the old one posted."""
    assert ids.nonce("turn:0") == "1rYhUo7fpcyM0UWezvaI8v"
    assert ids.mark("turn:0") == 764966740


@given(st.integers(ids.EPOCH_MS, ids.EPOCH_MS + 2**40))
def test_a_snowflake_tells_its_time(ms: int) -> None:
    """Catching up reads from a time on; a wrong one would lose messages."""
    assert ids.made_ms(ids.at_ms(ms)) == ms


def test_a_turns_id_tells_its_time() -> None:
    """Looking for a lost answer begins at its turn."""
    assert ids.ulid_ms(Stamp(now_ms=1_764_000_000_123, seed="1" * 32).ulid("turn")) == 1_764_000_000_123
    assert ids.ulid_ms("turn") is None


@pytest.mark.parametrize("text", ["", "1", "1/", "/1", "a/1", "1/2/3", "1/" + "9" * 21])
def test_what_is_no_reference_is_refused(text: str) -> None:
    """A reference of another platform's must not become a request."""
    with pytest.raises(BadInput):
        ids.parse_ref(text)


# ---------------------------------------------------------------------------------------- payloads


@given(st.dictionaries(st.sampled_from(["id", "channel_id", "author", "content", "type", "mentions"]), JSON))
def test_any_message_payload_is_read_or_refused(raw: dict[str, Any]) -> None:
    """Discord may send anything: nothing but BadInput ever comes out."""
    with suppress(BadInput):
        wire.said(raw, ME)


@given(st.dictionaries(st.sampled_from(["id", "type", "token", "data", "channel", "member", "user"]), JSON))
def test_any_interaction_payload_is_read_or_refused(raw: dict[str, Any]) -> None:
    """The same for interactions."""
    with suppress(BadInput):
        wire_acts.act(raw, ME)


@given(st.dictionaries(st.sampled_from(["id", "roles", "channels", "threads", "members", "name"]), JSON))
def test_any_guild_payload_is_read_or_refused(raw: dict[str, Any]) -> None:
    """The same for servers."""
    with suppress(BadInput):
        wire_rooms.gathered(raw, ME)


def said(content: str, **more: Any) -> wire.Said:  # noqa: ANN401  (fields of a payload)
    """A message of alice's in a server."""
    raw = {
        "id": "5",
        "channel_id": "4",
        "guild_id": "3",
        "type": 0,
        "author": {"id": "7", "username": "alice", "global_name": "Alice"},
        "content": content,
        "mentions": [{"id": each, "username": f"user{each}"} for each in ("1000", "8") if f"<@{each}>" in content],
    }
    found = wire.said(raw | more, ME)
    assert found is not None
    return found


def reply(user: str) -> dict[str, Any]:
    """The fields of a message that replies to one of `user`."""
    return {"message_reference": {"message_id": "9"}, "referenced_message": {"author": {"id": user}}}


@pytest.mark.parametrize(
    ("content", "clean"),
    [
        ("<@1000> hello", "hello"),
        ("<@!1000>, hello", "hello"),
        ("hello <@1000>", "hello @Rejoinder"),
        ("<@1000>", "@Rejoinder"),
        ("<@8> said <:wave:123>", "@user8 said :wave:"),
        ("<@1000> resume ABCD-EFGH-JKMN-PQRS", "resume ABCD-EFGH-JKMN-PQRS"),
        ("  two\nlines  ", "two\nlines"),
    ],
)
def test_words_come_as_a_person_reads_them(content: str, clean: str) -> None:
    """The model gets names and no numbers."""
    assert wire.clean(said(content), ME, "Rejoinder") == clean


@pytest.mark.parametrize(
    ("content", "more", "ours", "wanted"),
    [
        ("hello", {}, True, Address.DIRECT),
        ("hello", {}, False, Address.PLAIN),
        ("<@1000> hello", {}, False, Address.MENTION),
        ("<@8> hello", {}, True, Address.OTHER),
        ("<@8> hello <@1000>", {}, False, Address.MENTION),
        ("yes", reply("8"), True, Address.OTHER),
        ("yes", reply(ME), True, Address.DIRECT),
        ("yes", reply("7"), True, Address.DIRECT),
    ],
)
def test_who_is_spoken_to(content: str, more: dict[str, Any], ours: bool, wanted: Address) -> None:  # noqa: FBT001
    """DESIGN section 3: the opener's thread is for the bot, except for what is said to somebody else."""
    spot = wire.Spot(place=ids.room("3", "4", "6"), audience=Audience.PUBLIC, ours=ours, opener="7")
    assert wire.address(said(content, **more), spot, ME) is wanted


# --------------------------------------------------------------------------------------- rendering


@given(st.text(max_size=3_000), st.lists(LABELS, max_size=30), st.lists(LABELS, max_size=30))
def test_whatever_is_said_fits(text: str, plain: list[str], menu: list[str]) -> None:
    """No text and no button of ours is ever refused for its form."""
    body = render.body(text, (*buttons(plain), *buttons(menu, in_menu=True)), key="k")
    check_message(dict(body), is_new=True)
    assert body["allowed_mentions"] == {"parse": [], "replied_user": False}
    assert len(str(body["content"])) <= CONTENT_MAX


@given(st.text(max_size=300), st.lists(LABELS, min_size=1, max_size=40), st.text(min_size=1, max_size=80))
def test_replies_fit(text: str, labels: list[str], title: str) -> None:
    """Private answers, lists, forms and completions are never refused for their form."""
    check_message(dict(render.private(Private(text=text, buttons=buttons(labels)))), is_new=True)
    check_components(render.choices(Choices(text=text, options=buttons(labels)))["components"])  # type: ignore[arg-type]
    fields = tuple(FormField(id=f"f{n}", label=label, max_chars=9_000) for n, label in enumerate(labels[:5]))
    check_modal(dict(render.form(Form(title=title, submit=buttons(["Go"])[0], fields=fields))))
    check_choices(dict(render.completions([(label, "0" * 26) for label in labels])))
    assert 1 <= len(render.thread_name(text)) <= 100


def test_tables_are_set_as_code() -> None:
    """Discord shows a table as a heap of pipes; in a code block its columns stand."""
    text = "See:\n\n| a | bb |\n|---|---|\n| ccc | d |\n\nDone."
    assert for_discord(text) == "See:\n\n```\na   | bb\n----+---\nccc | d\n```\n\nDone."
    code = "```\n| a | b |\n|---|---|\n```"
    assert for_discord(code) == code
    assert for_discord("a | b") == "a | b"


@given(st.text(alphabet="|-: ab\n`", max_size=200))
def test_markdown_keeps_every_word(text: str) -> None:
    """Whatever looks like a table, no letter of the answer is lost."""
    shown = for_discord(text)
    assert sorted(each for each in shown if each in "ab") == sorted(each for each in text if each in "ab")


def test_every_sentence_has_both_languages() -> None:
    """A German reader reads German."""
    assert set(words.WORDS["de"]) == set(words.WORDS["en"])
    assert words.say("de-AT", "done") == words.WORDS["de"]["done"]
    assert words.say("xx", "done") == words.WORDS["en"]["done"]


# ------------------------------------------------------------------------------------------ rights


def test_rights_add_up_as_discord_says() -> None:
    """@everyone, roles, the channel's overwrites for both, and for us: in this order."""
    server = Server(id="3", roles={"3": VIEW, "9": 1 << 11}, mine=("9",))
    hidden = Room(id="4", kind=0, guild="3", overwrites=(Overwrite("3", 0, VIEW), Overwrite("9", VIEW, 0)))
    assert readers(server, hidden, hidden) is Audience.PRIVATE
    assert our_rights(server, hidden, ME) & VIEW
    shut = Room(id="4", kind=0, guild="3", overwrites=(Overwrite("9", VIEW, 0), Overwrite(ME, 0, VIEW)))
    assert not our_rights(server, shut, ME) & VIEW
    boss = Server(id="3", roles={"3": ADMINISTRATOR})
    assert our_rights(boss, shut, ME) & VIEW


# ------------------------------------------------------------------------------------------ limits


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 3)), max_size=60), st.integers(1, 6))
def test_a_bucket_is_never_overdrawn(steps: list[tuple[int, float]], limit: int) -> None:
    """Whatever the order of asking and answering, Discord never sees more than the window allows."""
    buckets, now, window_ends, used, flying = Buckets(), 0.0, 0.0, 0, 0
    for kind, seconds in steps:
        if kind == 0:
            now += seconds
        elif kind in (1, 2) and buckets.wait_s("PATCH /c", "1", now, spare=kind - 1) == 0:
            if now >= window_ends:
                window_ends, used = now + 5.0, 0
            used += 1
            flying += 1
            assert used <= limit
        elif flying:
            flying -= 1
            headers = {
                "X-RateLimit-Limit": str(limit),
                "X-RateLimit-Remaining": str(max(0, limit - used) if now < window_ends else limit),
                "X-RateLimit-Reset-After": str(max(0.0, window_ends - now)),
                "X-RateLimit-Bucket": "b",
            }
            buckets.answered("PATCH /c", "1", headers, now)


def test_the_last_token_is_left_for_the_final_text() -> None:
    """A draft never takes what a final text needs."""
    buckets = Buckets()
    headers = {"X-RateLimit-Limit": "2", "X-RateLimit-Remaining": "1", "X-RateLimit-Reset-After": "5"}
    assert buckets.wait_s("PATCH /c", "1", 0.0) == 0
    buckets.answered("PATCH /c", "1", headers, 0.0)
    assert buckets.wait_s("PATCH /c", "1", 0.0, spare=1) > 0
    assert buckets.wait_s("PATCH /c", "1", 0.0) == 0


def test_the_brake_on_invalid_requests() -> None:
    """10,000 refused requests in 10 minutes ban the address; half of it stops everything but interactions."""
    buckets = Buckets()
    for _ in range(INVALID_MAX):
        buckets.invalid(0.0)
    assert buckets.wait_s("GET /x", "", 1.0) > 500
    assert buckets.wait_s("POST /{interaction}/callback", "t", 1.0) == 0
    assert buckets.wait_s("GET /x", "", 601.0) == 0


def test_no_more_than_the_global_limit_a_second() -> None:
    """50 a second is Discord's; we stay below."""
    buckets = Buckets()
    sent = sum(buckets.wait_s(f"GET /{n}", "", 0.5) == 0 for n in range(100))
    assert sent == GLOBAL_PER_S


# ---------------------------------------------------------------------------------- starts and progress


def test_starts_are_counted_and_braked() -> None:
    """0, 1, 2, 4 ... 60 s by unclean starts; 5 s between two IDENTIFYs; the day's budget."""
    boots = [1_000_000 - 1_000 * n for n in range(10)]
    assert [budget.brake_ms(boots[:n], 1_000_000) // 1000 for n in range(9)] == [0, 1, 2, 4, 8, 16, 32, 60, 60]
    assert budget.brake_ms([1], 700_000) == 0
    assert budget.pause_ms([], 10_000) == 0
    assert budget.pause_ms([9_000], 10_000) == 4_000
    many = [1_000_000 + n for n in range(budget.STARTS_A_DAY)]
    assert budget.pause_ms(many, 2_000_000) > 20 * 3_600_000


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=30), st.randoms())
def test_what_is_saved_is_safe(fates: list[tuple[bool, bool]], chance: Any) -> None:  # noqa: ANN401
    """Everything up to the saved number is in the inbox, in whatever order the events end."""
    progress = Progress(10)
    numbers = list(range(11, 11 + len(fates)))
    for number in numbers:
        progress.begin(number)
    done: dict[int, bool] = {}
    order = list(zip(numbers, fates, strict=True))
    chance.shuffle(order)
    for number, (ends, taken) in order:
        if ends:
            progress.end(number, taken=taken)
            done[number] = taken
        assert all(done.get(each) for each in numbers if each <= progress.safe)


@given(JSON)
def test_any_memory_is_read_or_ignored(value: Any) -> None:  # noqa: ANN401
    """What another release has remembered must not keep this one from starting."""
    memory.saved(value)
    memory.numbers(value)
    memory.texts(value)


def test_a_saved_session_is_read_again() -> None:
    """The next process goes on with it."""
    one = memory.Saved(session="s", sequence=5, gateway="wss://x", app="1", shard=0, shards=1, at_ms=7)
    assert memory.saved(json.loads(json.dumps(one.plain()))) == one
