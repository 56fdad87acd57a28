"""Guessing codes is hopeless, known to be so, and no way to lock anybody out of their own conversations."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import pytest

from core.domain.codes import grouped
from core.domain.keys import PersonKey, Place
from core.domain.leaving import Guesses
from core.domain.rules import lockout
from storage.rows import GUESSES
from tests.engine.resuming import AWAY, HERE, REFUSED, carried, claims, noticed, press, resume, said, session, talk
from tests.kit.world import World

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
WRONG = "ABCD-EFGH-JKMN-PQR7"
BATCH = 250  # guesses that arrive at the same moment


async def guesses(world: World) -> dict[str, int]:
    """How many wrong codes are remembered, by account and channel."""
    found = await world.store.read(lambda conn: conn.execute(GUESSES.select).fetchall())
    return {each.key: len(each.times_ms) for each in map(GUESSES.decode, found)}


async def wrong(world: World, person: str, count: int, *, thread: str = AWAY) -> None:
    """Bring so many wrong codes."""
    for n in range(count):
        assert said(await world.command(person, f"resume {WRONG[:-1]}{n % 10}", thread=thread)) == REFUSED


async def test_twenty_thousand_guesses_hit_nothing(world: World) -> None:
    """20,000 guesses by 500 people in 25 channels: no hit, everybody is locked, and the owner is not."""
    await guess_often(world, 20_000, 11)


async def guess_often(world: World, count: int, seed: int) -> None:
    """So many guesses by a fortieth of that many people, while somebody's code is live."""
    code = await noticed(world)
    chance, hits, people = random.Random(seed), Counter[str](), count // 40

    async def guess(n: int) -> None:
        text = "".join(chance.choices(ALPHABET, k=16))
        where = f"away/c{n % (people // 20)}/t1"
        hits[said(await world.command(f"g{n % people}", f"resume {grouped(text)}", thread=where))] += 1

    for start in range(0, count, BATCH):
        await asyncio.gather(*(guess(n) for n in range(start, start + BATCH)))
    assert hits == {REFUSED: count}
    remembered = await guesses(world)
    assert max(each for key, each in remembered.items() if key.startswith("person:")) <= lockout.PERSON.wrong
    assert {each for key, each in remembered.items() if key.startswith("channel:")} == {lockout.CHANNEL.wrong}
    assert await claims(world) == []
    assert said(await resume(world, "alice", code, thread="t2")) == "It goes on here now. Everything is kept."


async def test_a_locked_account_gets_nothing_with_a_right_code(world: World) -> None:
    """After five wrong codes a right one is refused with the same words, and nobody is asked about it."""
    code = await noticed(world)
    await wrong(world, "eve", 5)
    assert said(await resume(world, "eve", code, thread="away/other/t1")) == REFUSED
    assert await claims(world) == []
    assert len(await world.answers(HERE)) == 2
    assert said(await resume(world, "zoe", code, thread="away/other/t1")) != REFUSED


async def test_four_wrong_codes_do_not_lock(world: World) -> None:
    """A few slips of the finger are not an attack."""
    code = await noticed(world)
    await wrong(world, "eve", 4)
    assert said(await resume(world, "eve", code, thread=AWAY)) != REFUSED


async def test_a_lock_ends_after_ten_minutes(world: World) -> None:
    """Whoever waits may try again; what is typed while locked does not prolong it."""
    code = await noticed(world)
    await wrong(world, "eve", 5)
    await world.clock.leap(599)
    await wrong(world, "eve", 5)
    assert said(await resume(world, "eve", code, thread="away/other/t1")) == REFUSED
    await world.clock.leap(2)
    assert said(await resume(world, "eve", code, thread="away/other/t1")) != REFUSED


async def test_a_restart_forgives_nothing(world: World) -> None:
    """Locks are in the store: a restart, by accident or by force, does not open them."""
    code = await noticed(world)
    await wrong(world, "eve", 5)
    world = await world.reborn()
    assert said(await resume(world, "eve", code, thread="away/other/t1")) == REFUSED
    assert await claims(world) == []


async def test_a_channel_locks_for_the_unknown_only(world: World) -> None:
    """20 wrong codes in a channel by many accounts: strangers are refused there for an hour, owners are not."""
    await talk(world, "hello")
    await resume(world, "ally", await carried(world), thread=AWAY)
    code = await noticed(world, thread="t2")
    for n in range(20):
        await wrong(world, f"g{n}", 1)
    assert said(await resume(world, "zoe", code, thread="away/general/z")) == REFUSED
    assert said(await resume(world, "ally", code, thread="away/general/a")) != REFUSED
    fresh = await noticed(world, thread="t3")
    assert said(await resume(world, "zoe", fresh, thread="away/elsewhere/z")) != REFUSED
    await world.clock.leap(3_601)
    assert said(await resume(world, "yan", fresh, thread="away/general/z")) != REFUSED


async def test_an_owner_is_never_locked_out(world: World) -> None:
    """An owner who mistyped ten times still gets in with the right code, the button, and `/resume`."""
    code = await noticed(world)
    await wrong(world, "alice", 10, thread="t2")
    await press(world, "alice", "Resume")
    assert said(await resume(world, "alice", (await session(world)).id, thread="t4")) != REFUSED
    assert said(await resume(world, "alice", "", thread="t5")) != REFUSED
    assert said(await resume(world, "alice", code, thread="t6")) == "It goes on here now. Everything is kept."


async def test_ones_own_old_code_is_not_a_guess(world: World) -> None:
    """An owner who tries a used code again and again is refused, but not counted as guessing."""
    code = await noticed(world)
    await resume(world, "alice", code, thread="t2")
    for _ in range(8):
        assert said(await resume(world, "alice", code, thread="t3")).startswith("That code was used")
    assert await guesses(world) == {}


async def test_a_bystander_cannot_lock_somebody_else(world: World) -> None:
    """Wrong codes count against who brought them, not against whom they might belong to."""
    code = await noticed(world)
    await wrong(world, "mallory", 5)
    assert said(await resume(world, "ally", code, thread="away/other/t1")) != REFUSED


@pytest.mark.parametrize("stepped_ms", [-86_400_000, -3_600_000, 3_600_000, 86_400_000])
def test_a_stepped_clock_locks_nobody_for_long(stepped_ms: int) -> None:
    """When the clock is set back, what it had put ahead is forgotten instead of locking for a day."""
    account = PersonKey(platform="local", workspace="away", user="eve")
    place = Place(platform="local", workspace="away", channel="general", thread="t1")
    now = 1_764_000_000_000
    rows: tuple[Guesses, ...] = ()
    for n in range(5):
        rows = lockout.counted(rows, account, place, now + n)
    assert lockout.locked(rows, account, place, now + 10)
    assert not lockout.locked(rows, account, place, now + stepped_ms)


def test_a_row_never_grows() -> None:
    """However long somebody tries, what is remembered of them is a handful of times."""
    account = PersonKey(platform="local", workspace="away", user="eve")
    place = Place(platform="local", workspace="away", channel="general", thread="t1")
    rows: tuple[Guesses, ...] = ()
    for n in range(500):
        rows = lockout.counted(rows, account, place, 1_764_000_000_000 + n)
    assert sorted(len(each.times_ms) for each in rows) == [5, 20]
