"""An account that may be somebody else's is held until its owner says that it is theirs; the call waits on."""

from __future__ import annotations

from core.domain.decision import Private
from core.domain.events import LinkStrayed
from core.domain.tooling import CallState, CredentialStatus, LoginState
from core.engine.vault import Step
from tests.logins.people import CONNECT, ISSUES, People, labels, said

ANSWER = "You have three open issues."
OWN, OTHER = "alice@example.com", "mallory@example.com"


async def asked(people: People, *, person: str = "alice", thread: str = "t1") -> None:
    """Somebody asks for something behind a login."""
    people.script([CONNECT], [ISSUES], [ANSWER])
    await people.world.say(person, "what is open?", thread=thread, key=f"{person}:{thread}")
    await people.world.run(3)


async def connected(people: People, *, person: str = "alice", account: str = OWN, thread: str = "t0") -> None:
    """Somebody has a login, and it has ended."""
    await asked(people, person=person, thread=thread)
    assert (await people.sign_in(person, account, thread=thread)).step is Step.DONE
    await people.world.settle()


async def ended(people: People) -> None:
    """Every login has ended at its server."""
    await people.world.run(9 * 3600, step=600)
    people.house.provider.revoke_access()
    people.house.provider.revoke_refresh()


async def whispered(people: People) -> list[str]:
    """What Alice alone reads of it."""
    return [each.text for each in await people.whispers()]


async def states(people: People) -> list[str]:
    """How the logins stand, by account."""
    return sorted(f"{each.account} {each.status}" for each in await people.credentials())


async def test_another_account_than_before_is_held(people: People) -> None:
    """Whoever got Alice's forwarded link signs in, and her next answers come from their account."""
    await connected(people)
    await ended(people)
    await asked(people)
    calls = len(people.house.calls)
    assert (await people.sign_in(account=OTHER)).step is Step.HELD
    await people.world.run(3)
    assert len(people.house.calls) == calls
    assert ANSWER not in await people.answers()
    (card,) = await people.cards()
    assert OTHER not in card.text
    assert labels(card) == ["Whose is it?"]
    (private,) = await whispered(people)
    assert f"signed in as {OTHER}. Is that you?" in private
    assert await states(people) == [f"{OWN} needs_login", f"{OTHER} held"]


async def test_alone_with_the_bot_the_card_itself_asks(people: People) -> None:
    """In a direct conversation the question stands twice, or one has to press for it first."""
    here = "home/dm:alice/d1"
    await connected(people)
    await ended(people)
    await asked(people, thread=here)
    assert (await people.sign_in(account=OTHER, thread=here)).step is Step.HELD
    await people.world.run(3)
    (card,) = await people.cards(here)
    assert f"signed in as {OTHER}. Is that you?" in card.text
    assert labels(card) == ["Yes, use it", "Not me"]
    assert len(await whispered(people)) == 1  # that card
    await people.world.press("alice", "Yes, use it", thread=here)
    await people.world.settle()
    assert await people.answers(here) == [ANSWER]


async def test_who_says_yes_is_answered(people: People) -> None:
    """Alice has changed her account, says so, and has to ask again; or the old one lives on at the server."""
    await connected(people)
    await ended(people)
    await asked(people)
    await people.sign_in(account=OTHER)
    await people.world.run(3)
    await people.reborn()
    asks = said(await people.world.press("alice", "Whose is it?"))
    assert f"signed in as {OTHER}. Is that you?" in asks
    refused = await people.press_private("bob", "Yes, use it")
    assert said(refused) == "Only the person who is asked can sign in here."
    assert "from now on" in said(await people.press_private("alice", "Yes, use it"))
    await people.world.settle()
    assert await people.answers() == [ANSWER]
    assert people.house.calls[-1] == ("open_issues", OTHER)
    assert await states(people) == [f"{OTHER} ok"]
    assert "from now on" in (await whispered(people))[0]
    (card,) = await people.cards()
    assert labels(card) == ["Not me"]


async def test_who_says_no_is_asked_anew(people: People) -> None:
    """The stranger's account stays in the vault, or Alice has no way to her answer any more."""
    await connected(people)
    await ended(people)
    await asked(people)
    await people.sign_in(account=OTHER)
    await people.world.run(3)
    await people.press_private("alice", "Not me")
    await people.world.run(10)
    assert await states(people) == [f"{OWN} needs_login"]
    assert people.house.provider.living == 0
    (card,) = await people.cards()
    assert labels(card) == ["Sign in", "Go on without it"]
    assert (await people.sign_in(account=OWN)).step is Step.DONE
    await people.world.settle()
    assert await people.answers() == [ANSWER]
    assert people.house.calls[-1] == ("open_issues", OWN)


async def test_an_account_of_somebody_else_here_is_held(people: People) -> None:
    """Bob, who is signed in here himself, opens Alice's link, and she works with his account."""
    await connected(people, person="bob", account="bob@example.com")
    await asked(people)
    assert (await people.sign_in(account="Bob@example.com")).step is Step.HELD
    await people.world.run(3)
    assert ANSWER not in await people.answers()
    assert [each.asker.user for each in await people.calls() if each.state is CallState.SIGN_IN] == ["alice"]


async def test_the_same_account_again_is_used_at_once(people: People) -> None:
    """A team's account, or Alice's own after a night, is asked about every time."""
    await connected(people, person="bob", account=OWN)
    await asked(people)
    await people.sign_in(account=OWN)
    await people.world.run(3)
    await people.press_private("alice", "Yes, use it")
    await people.world.settle()
    await ended(people)
    await asked(people, thread="t2")
    assert (await people.sign_in(account=OWN, thread="t2")).step is Step.DONE
    await people.world.settle()
    assert await people.answers("t2") == [ANSWER]


async def test_a_browser_that_is_known_is_believed(people: People) -> None:
    """Alice changes her account in her own browser, and is asked whether she is herself."""
    await asked(people, thread="t0")
    first = await people.browse(OWN, thread="t0")
    assert first.step is Step.DONE
    await people.world.settle()
    await ended(people)
    await asked(people)
    page = await people.browse(OTHER, known=first.known.reveal())
    assert page.step is Step.DONE
    await people.world.settle()
    assert people.house.calls[-1] == ("open_issues", OTHER)


async def test_a_browser_whose_login_was_disowned_is_not_believed(people: People) -> None:
    """Mallory's browser, whose login Alice gave back, counts as hers at the next forwarded link."""
    await asked(people, thread="t0")
    first = await people.browse(OTHER, thread="t0")
    await people.world.settle()
    await people.world.press("alice", "Not me", thread="t0")
    await people.world.settle()
    await people.browse(OWN, thread="t0")
    await people.world.settle()
    await ended(people)
    await asked(people)
    assert (await people.browse(OTHER, known=first.known.reveal())).step is Step.HELD


async def test_whoever_moves_on_leaves_nothing_behind(people: People) -> None:
    """The stranger's tokens stay for ever because Alice changed the subject."""
    await connected(people)
    await ended(people)
    await asked(people)
    await people.sign_in(account=OTHER)
    await people.world.run(3)
    people.script(["Seven."])
    await people.world.say("alice", "never mind, what is 3 + 4?")
    await people.world.settle()
    assert await states(people) == [f"{OWN} needs_login"]
    assert people.house.provider.living == 0
    assert LoginState.CANCELLED in {each.state for each in await people.logins()}
    assert "You went on without" in (await whispered(people))[0]


async def test_two_conversations_wait_for_one_word(people: People) -> None:
    """A second question while an account is held puts a second question, or never gets its answer."""
    await connected(people)
    await ended(people)
    await asked(people)
    await people.sign_in(account=OTHER)
    await people.world.run(3)
    people.script([ISSUES], ["One."], ["Two."])
    await people.world.say("alice", "and here?", thread="t2")
    await people.world.run(3)
    (card,) = await people.cards("t2")
    assert labels(card) == ["Whose is it?"]
    await people.press_private("alice", "Yes, use it")
    await people.world.settle()
    assert len([*await people.answers(), *await people.answers("t2")]) == 2
    assert [each.status for each in await people.credentials()] == [CredentialStatus.OK]


async def test_what_is_held_is_named_and_forgotten(people: People) -> None:
    """/connections keeps quiet about it, or /forget leaves it."""
    await connected(people)
    await ended(people)
    await asked(people)
    await people.sign_in(account=OTHER)
    await people.world.run(3)
    listed = said(await people.world.command("alice", "connections"))
    assert "not used before you tell me" in listed
    ask = await people.world.command("alice", "forget everything")
    reply = ask.decision.reply
    assert isinstance(reply, Private)
    await people.world.press_id("alice", next(each.id for each in reply.buttons if each.label == "Forget for good"))
    await people.world.settle()
    assert await people.credentials() == []
    assert people.house.provider.living == 0


async def test_a_link_in_wrong_hands_is_told_once_and_in_private(people: People) -> None:
    """Alice never learns that her link went astray, the whole channel does, or each reload tells her again."""
    await asked(people)
    await people.pressed()
    (login,) = await people.logins()
    for _ in range(3):
        await people.world.engine.accept(LinkStrayed(source_keys=(f"strayed:{login.link}",), login_id=login.id))
    await people.world.run(3)
    (told,) = await whispered(people)
    assert "No account was attached" in told
    (card,) = await people.cards()
    assert "No account was attached" not in card.text
    accepted = await people.world.press("alice", "Sign in")
    assert said(accepted).startswith(told)
    link = await people.pressed()
    cookie, goto = await people.leave(link)
    assert (await people.world.logins.back(await people.way_back(goto), cookie)).step is Step.DONE
    await people.world.settle()
    assert await people.answers() == [ANSWER]


async def test_the_same_account_is_found_by_an_index(people: People) -> None:
    """Each sign-in reads every login of everybody."""
    sql = (
        "EXPLAIN QUERY PLAN SELECT 1 FROM credential WHERE server = ? AND issuer = ? AND account = ? COLLATE NOCASE"
        " AND account <> ''"
    )
    plan = await people.world.store.read(lambda conn: conn.execute(sql, ("a", "b", "c")).fetchall())
    assert "credential_account" in str(plan[0][-1])
