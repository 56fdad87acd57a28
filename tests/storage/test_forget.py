"""Deleting for good, and the proof."""

from __future__ import annotations

import random
import sqlite3
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from core.domain.decision import Policy
from core.domain.effects import AskModel
from core.domain.entities import (
    Draft,
    Entity,
    FileCopy,
    FileRef,
    Part,
    Person,
    Role,
    Session,
    Spend,
    Turn,
    TurnState,
    Waiting,
)
from core.domain.errors import BadInput, StoreError
from core.domain.keys import Audience, PersonKey, SessionKey
from core.domain.leaving import Fact, Link, MoveClaim, Preference, Summary, Ticket
from core.domain.tasking import Step, Task
from core.domain.tooling import Credential, Login, Permit, Round, ToolCall, ToolList
from core.engine.ports import Claim, Post
from storage import SqliteStore
from storage.files import Peephole
from storage.forget import SIDE_NAME, Tombstone, delete, erase, forget, occurrences, read_aside, scan
from storage.reading import counts
from tests.kit.store import (
    ANN,
    BOB,
    DAY,
    NOW_MS,
    PLACE,
    Script,
    accept,
    bound,
    card,
    effect,
    given,
    message,
    replied,
    said,
    session,
    stamp,
    started,
    turn,
)

CANARY = "canary-of-ann"


def everything(session_id: str, user: str, canary: str) -> list[Entity]:
    """Give one row of every entity, with the canary in every text that a person could have written."""
    key = replace(ANN, user=user)
    place = replace(PLACE, thread=session_id)
    row = replace(session(session_id, user=user, place=place), title=canary, next_seq=9)
    ref = FileRef(id=f"file-{canary}", handle=canary, name=canary, media_type="m", size_bytes=1)
    asked = turn(f"turn-{canary}", session_id=session_id, asker=key, place=place, said=canary, first=1, last=2)
    old = replace(asked, id=f"old-{canary}", state=TurnState.ANSWERED)
    return [
        row,
        *bound(row)[1:],
        Person(key=key, identity=f"id-{user}", name=canary),
        message(1, canary, session_id=session_id, author=canary, ref=f"post-{canary}", files=(ref,), turn_id=asked.id),
        message(2, canary, session_id=session_id, role=Role.ASSISTANT, blocks=f'[{{"text":"{canary}"}}]'),
        message(3, canary, session_id=session_id, role=Role.HEARD, author=canary),
        Waiting(
            id=f"w-{canary}", session_id=session_id, author=canary, asker=key, text=canary, ref=canary, received_ms=1
        ),
        asked,
        old,
        Part(turn_id=asked.id, n=0, ref=f"answer-{canary}", start=0),
        FileCopy(file_id=ref.id, session_id=session_id, media_type="m", data=canary),
        card(f"task:{canary}", session_id=session_id, place=place, text=canary, ref=f"card-{canary}"),
        Spend(account=f"person:id-{user}", day=DAY, settled=1),
        Spend(account="workspace:local/home", day=DAY, settled=1),
        effect(f"effect-{canary}", AskModel(turn_id=asked.id), session_id=session_id, failure=canary),
        *left_behind(row, key, canary),
        *tooled(asked, canary),
    ]


def left_behind(row: Session, key: PersonKey, canary: str) -> list[Entity]:
    """Give what is stored so that a person can leave and come back."""
    told = Fact(text=canary, words=canary, seq=1)
    return [
        Summary(
            id=f"summary-{canary}",
            session_id=row.id,
            from_seq=1,
            to_seq=2,
            created_ms=NOW_MS,
            goal=canary,
            done=canary,
            last=canary,
            next=canary,
            facts=(told,),
            correction=canary,
        ),
        Ticket(id=f"ticket-{canary}", session_id=row.id, owner=row.owner, issued_ms=1, expires_ms=2),
        MoveClaim(
            id=f"claim-{canary}",
            session_id=row.id,
            ticket_id=f"ticket-{canary}",
            claimant=key,
            claimant_name=canary,
            identity=row.owner,
            dest=row.home,
            audience=Audience.DM,
            created_ms=1,
        ),
        Link(
            id=f"link-{canary}",
            session_id=row.id,
            account=key,
            before=f"earlier-{key.user}",
            after=row.owner,
            origin=row.home,
            at_ms=1,
        ),
        Preference(identity=row.owner, muted=(str(row.home.place),)),
        Task(id=f"task-{canary}", session_id=row.id, asker=key, author=canary, goal=canary, created_ms=1, wish=canary),
        Step(
            id=f"step-{canary}",
            task_id=f"task-{canary}",
            session_id=row.id,
            n=1,
            title=canary,
            instruction=canary,
            result=canary,
        ),
        Login(id=f"login-{canary}", owner=row.owner, asker=key, session_id=row.id, server="jira", created_ms=1),
        Credential(
            id=f"credential-{key.user}",
            owner=row.owner,
            server="jira",
            sealed=f"sealed for {key.user}",
            account=f"account of {key.user}",
        ),
    ]


def tooled(asked: Turn, canary: str) -> list[Entity]:
    """Give a round of the tool loop and what belongs to it."""
    call = ToolCall(
        id=f"call-{canary}",
        turn_id=asked.id,
        session_id=asked.session_id,
        round=0,
        n=0,
        use_id="u",
        server="s",
        tool="t",
        input=f'{{"q": "{canary}"}}',
        asker=asked.asker,
        created_ms=1,
        result=f'[{{"type": "text", "text": "{canary}"}}]',
    )
    return [
        Round(turn_id=asked.id, n=0, session_id=asked.session_id, text=canary, blocks=f'["{canary}"]', prefix=""),
        call,
        Permit(session_id=asked.session_id, account=asked.asker, server="s", tool="t", at_ms=1),
        ToolList(digest="d", tools="[]"),
    ]


async def fill(store: SqliteStore, session_id: str, user: str, canary: str) -> None:
    """Bring `everything` into the store, with a draft, and posts with files on the board."""
    await given(store, *everything(session_id, user, canary))
    await started(store)
    await store.submit(
        lambda conn: conn.execute("INSERT INTO adopted VALUES (?, 'session', ?)", (f"link-{canary}", session_id))
    )
    await store.progress([Draft(effect_id=f"effect-{canary}", n=0, text=canary)], [])
    place = replace(PLACE, thread=session_id)
    mine = Post(id=f"post-{canary}", key=f"k-{canary}", place=place, author=user, text=canary, state="done")
    await store.board.put(mine, [FileCopy(file_id=f"board-{canary}", session_id="", media_type="m", data=canary)])
    for each in ("answer", "card"):
        await store.board.put(replace(mine, id=f"{each}-{canary}", key=f"{each}-{canary}", author=""))


async def rows(store: SqliteStore) -> dict[str, int]:
    """Give the number of rows of each table."""
    return await store.read(counts)


async def test_the_next_tests_look_at_every_table(store: SqliteStore) -> None:
    """A new table is not reached by /forget, and no test notices."""
    await fill(store, "s1", "ann", CANARY)
    empty = {table for table, count in (await rows(store)).items() if not count}
    # Wrong codes keep their lock, and source keys a delivery from being taken twice.
    # What the program is to an authorization server says nothing about anybody.
    assert empty == {"meta", "tombstone", "guesses", "source", "oauth_client"}


@pytest.mark.parametrize("name", ["s1", "id-ann", "local/home/ann"], ids=["session", "owner", "account"])
async def test_nothing_is_left_of_what_was_forgotten(store: SqliteStore, name: str) -> None:
    """After `/forget` a person's words are still on the disk."""
    await fill(store, "s2", "bob", "canary-of-bob")
    without = await rows(store)
    await fill(store, "s1", "ann", CANARY)
    assert await store.fold()
    assert scan(store, [CANARY.encode()])[CANARY.encode()] > 20
    report = await forget(store, name, now_ms=NOW_MS)
    assert report.hits == 0
    assert report.needles
    kept = {"person": 1, "spend": 1, "preference": 1, "credential": 1} if name == "s1" else {}
    assert await rows(store) == {table: count + kept.get(table, 0) for table, count in without.items()} | {
        "tombstone": 1 if name == "s1" else 2  # an owner's identity before a link is forgotten with them
    }
    # A session's deletion keeps the person, whose name is theirs in other sessions too.
    found = scan(store, [CANARY.encode(), b"canary-of-bob"])
    assert found[CANARY.encode()] == (1 if name == "s1" else 0)
    assert found[b"canary-of-bob"] > 20
    login = scan(store, [b"sealed for ann", b"account of ann"])
    assert sorted(login.values()) == ([1, 2] if name == "s1" else [0, 0])  # an account stands in an index too


async def test_an_owner_is_forgotten_in_sessions_of_others_too(store: SqliteStore) -> None:
    """Somebody's words stay in a thread that another person opened."""
    await fill(store, "s2", "bob", "canary-of-bob")
    theirs = turn("theirs", session_id="s2", asker=ANN, state=TurnState.ANSWERED)
    await given(
        store,
        Person(key=ANN, identity="id-ann", name="Ann of the canary"),
        theirs,
        message(4, CANARY, session_id="s2", author="Ann of the canary", turn_id="theirs"),
        message(5, CANARY, session_id="s2", role=Role.ASSISTANT, turn_id="theirs"),
        message(6, CANARY, session_id="s2", role=Role.HEARD, author="Ann of the canary"),
        Waiting(id="w", session_id="s2", author="Ann", asker=ANN, text=CANARY, ref="", received_ms=1),
        effect("theirs", AskModel(turn_id="theirs"), session_id="s2"),
        Part(turn_id="theirs", n=0, ref="r", start=0),
        *tooled(theirs, CANARY),
    )
    await store.board.put(Post(id="p", key="p", place=PLACE, author="ann", text=CANARY, state="done"))
    report = await forget(store, "id-ann", now_ms=NOW_MS)
    assert report.hits == 0
    found = scan(store, [CANARY.encode(), b"Ann of the canary", b"theirs", b"canary-of-bob"])
    assert [found[each] for each in (CANARY.encode(), b"Ann of the canary", b"theirs")] == [0, 0, 0]
    assert found[b"canary-of-bob"] > 20


async def test_linked_accounts_are_forgotten_together(store: SqliteStore) -> None:
    """The other half of a person stays."""
    other = replace(ANN, platform="slack", workspace="T1", user="U1")
    await fill(store, "s1", "ann", CANARY)
    await given(store, Person(key=other, identity="id-ann", name=CANARY))
    report = await forget(store, str(other), now_ms=NOW_MS)
    assert (report.kind, report.key, report.hits) == ("owner", "id-ann", 0)
    assert scan(store, [CANARY.encode()]) == {CANARY.encode(): 0}


async def test_a_redelivery_resurrects_nothing(store: SqliteStore) -> None:
    """A forgotten message comes back because the platform sends it again."""
    script = Script(*bound(session()), message(1, CANARY))
    await accept(store, said(CANARY, "key-1"), script)
    await forget(store, "s1", now_ms=NOW_MS)
    assert (await accept(store, said(CANARY, "key-1"), script)).duplicate
    assert scan(store, [CANARY.encode()]) == {CANARY.encode(): 0}


async def test_what_still_runs_brings_nothing_back(store: SqliteStore) -> None:
    """The answer that was being written when a person asked to be forgotten is stored afterwards."""
    await fill(store, "s1", "ann", CANARY)
    await forget(store, "id-ann", now_ms=NOW_MS)
    await store.progress(
        [Draft(effect_id=f"effect-{CANARY}", n=1, text=CANARY)], [Part(turn_id=f"turn-{CANARY}", n=0, ref="r", start=0)]
    )
    claim = Claim(effect_id=f"effect-{CANARY}", boot="b1", attempt=1)
    assert (await accept(store, replied(f"turn-{CANARY}"), Script(), finishes=claim)).stale
    assert scan(store, [CANARY.encode()]) == {CANARY.encode(): 0}


async def test_posts_of_others_in_the_same_thread_stay(store: SqliteStore) -> None:
    """One person's deletion takes other people's words."""
    await fill(store, "s1", "ann", CANARY)
    place = replace(PLACE, thread="s1")
    key = SessionKey.at(place, "bob")
    await given(
        store, replace(session("s9", user="bob"), home=key), *bound(replace(session("s9", user="bob"), home=key))[1:]
    )
    await store.board.put(Post(id="bob", key="bob", place=place, author="bob", text="words of bob", state="done"))
    await forget(store, "s1", now_ms=NOW_MS)
    assert [each.text for each in await store.board.thread(place, 9)] == ["words of bob"]
    (line,) = [each for each in await store.board.threads("home", 9) if each.place == place]
    assert (line.title, line.opener) == ("words of bob", "bob")


@pytest.mark.parametrize("seed", range(5))
async def test_deleting_among_much_leaves_no_copies(store: SqliteStore, seed: int) -> None:
    """Pages that were rearranged keep copies of deleted words."""
    people = await _much(store, random.Random(seed))
    for who in people[:8]:
        assert (await forget(store, f"id-{who}", now_ms=NOW_MS)).hits == 0
        found = scan(store, [f"canary-of-{each} ".encode() for each in people])
        assert found[f"canary-of-{who} ".encode()] == 0
    assert scan(store, [b"canary-of-p9 "])[b"canary-of-p9 "] > 0


@pytest.mark.parametrize("seed", range(5))
async def test_a_death_before_the_proof_leaves_no_copies(store: SqliteStore, seed: int) -> None:
    """The deletion that is gone on with knows no words to look for, and calls it proven."""
    people = await _much(store, random.Random(seed))
    for who in people[:8]:
        stone = Tombstone(kind="owner", key=f"id-{who}", at_ms=NOW_MS)
        await store.submit(partial(erase, stone=stone))
        assert (await delete(store, stone)).hits == 0
    found = scan(store, [f"canary-of-{each} ".encode() for each in people[:8]])
    assert set(found.values()) == {0}


async def _much(store: SqliteStore, chance: random.Random) -> list[str]:
    """Twelve people who talk by turns, a canary in each word."""
    people = [f"p{n}" for n in range(12)]
    for turn_no in range(1, 40):
        for who in chance.sample(people, 6):
            row = replace(session(f"s-{who}", user=who), next_seq=turn_no + 1)
            text = f"canary-of-{who} " * chance.randrange(1, 120)
            await given(store, *bound(row), message(turn_no, text, session_id=row.id))
    return people


async def test_a_name_that_nobody_has(store: SqliteStore) -> None:
    """A slip of the pen is reported as a deletion."""
    with pytest.raises(BadInput, match="no session and no owner"):
        await forget(store, "unknown", now_ms=NOW_MS)
    assert not (store.path.parent / SIDE_NAME).exists()


async def test_a_reader_in_the_way_is_said(store: SqliteStore) -> None:
    """A deletion is called proven while the log still holds the words."""
    await fill(store, "s1", "ann", CANARY)
    reader = sqlite3.connect(store.path, isolation_level=None)
    try:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM meta").fetchone()
        with pytest.raises(StoreError, match="forget again"):
            await forget(store, "id-ann", now_ms=NOW_MS)
    finally:
        reader.close()
    assert await store.fold()
    assert scan(store, [CANARY.encode()]) == {CANARY.encode(): 0}


async def test_the_same_words_of_others_are_no_failure(store: SqliteStore) -> None:
    """A deletion is called unproven because two people said good morning."""
    same = "good morning everybody here"
    for who in ("ann", "bob"):
        row = session(f"s-{who}", user=who)
        await given(store, *bound(row), message(1, same, session_id=row.id))
    assert (await forget(store, "id-ann", now_ms=NOW_MS)).hits == 0
    assert scan(store, [same.encode()]) == {same.encode(): 1}


def test_notes_beside_the_database_survive_a_cut_line(tmp_path: Path) -> None:
    """A power cut while forgetting makes every later restore fail."""
    (tmp_path / SIDE_NAME).write_text("session s1 5\nowner id-ann 6\nrubbish\nother x 7\nowner id-b")
    stones = [(each.kind, each.key, each.at_ms) for each in read_aside(tmp_path / "rejoinder.db")]
    assert stones == [("session", "s1", 5), ("owner", "id-ann", 6)]


@pytest.mark.parametrize("offset", range(-14, 3))
def test_the_scan_finds_what_lies_across_its_blocks(tmp_path: Path, offset: int) -> None:
    """The proof overlooks words that lie where two blocks meet, or counts them twice."""
    path = tmp_path / "bytes"
    data = bytearray(3 << 20)
    at = (1 << 20) + offset
    data[at : at + len(CANARY)] = CANARY.encode()
    path.write_bytes(data)
    hole = Peephole(path)
    assert occurrences(hole.read, [CANARY.encode(), b"none", b"c"]) == {CANARY.encode(): 1, b"none": 0, b"c": 1}
    hole.close()
    hole.close()


async def test_somebody_forgotten_is_a_newcomer(store: SqliteStore) -> None:
    """A forgotten person is greeted as an old acquaintance."""
    await fill(store, "s1", "ann", CANARY)
    await forget(store, "id-ann", now_ms=NOW_MS)
    script = Script()
    await store.accept(said("hello again"), stamp(), script, policy=Policy(), boot="b1")
    assert script.view.newcomer
    assert script.view.session is None
    assert BOB != ANN
