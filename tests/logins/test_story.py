"""A call needs a login: asked once, in the thread, of one person; then the same answer goes on by itself."""

from __future__ import annotations

from pathlib import Path

from core.domain.decision import Private
from core.domain.tooling import CallState, LoginState
from core.engine.vault import Step
from tests.kit.oauth_server import ToolHouse
from tests.kit.scripted import ScriptedModel, Use
from tests.logins.people import CONNECT, ISSUES, People, labels, said

ANSWER = "You have three open issues."


async def test_asked_once_answered_once(people: People) -> None:
    """Somebody asks for something behind a login, signs in, and has to ask again; or reads about a 401."""
    model = people.script([CONNECT], [ISSUES], [ANSWER])
    await people.world.say("alice", "what is open?")
    await people.world.run(3)
    (card,) = await people.cards()
    assert "jira" in card.text
    assert "http" not in card.text
    assert labels(card) == ["Sign in", "Go on without it"]
    assert (await people.sign_in()).step is Step.DONE
    await people.world.settle()
    assert await people.answers() == [ANSWER]
    (card,) = await people.cards()
    assert "alice@example.com" in card.text
    assert labels(card) == ["Not me"]
    assert people.house.calls == [("open_issues", "alice@example.com")]
    assert len(model.requests) == 3
    assert [each.state for each in await people.logins()] == [LoginState.DONE]


async def test_overnight(people: People) -> None:
    """The login ends overnight: the next question gets one card, then its answer, and nobody retypes anything."""
    people.script([CONNECT], ["Connected."])
    await people.world.say("alice", "connect")
    await people.world.run(3)
    await people.sign_in()
    await people.world.settle()
    await people.world.run(9 * 3600, step=600)
    people.house.provider.revoke_access()
    people.house.provider.revoke_refresh()
    people.script([ISSUES], [ANSWER])
    await people.world.say("alice", "what is open now?")
    await people.world.run(3)
    assert "sign in again" in (await people.cards())[-1].text
    await people.sign_in()
    await people.world.settle()
    assert (await people.answers())[-1] == ANSWER
    assert len(await people.credentials()) == 1


async def test_only_the_asker_gets_the_link(people: People) -> None:
    """Bob presses the button under Alice's question and signs in for her, or reads her link."""
    people.script([CONNECT], [ANSWER])
    await people.world.say("alice", "what is open?")
    await people.world.run(3)
    refused = await people.world.press("bob", "Sign in")
    assert said(refused) == "Only the person who is asked can sign in here."
    assert (await people.logins())[0].link == ""


async def test_who_moves_on_is_asked_nothing_more(people: People) -> None:
    """Somebody changes the subject, and the old question stays there, or the answer to the new one waits for it."""
    people.script([CONNECT], ["Seven."])
    await people.world.say("alice", "what is open?")
    await people.world.run(3)
    await people.world.say("alice", "never mind, what is 3 + 4?")
    await people.world.settle()
    assert (await people.answers())[-1] == "Seven."
    (card,) = await people.cards()
    assert (card.text, labels(card)) == ("You went on without a login at **jira**.", [])
    assert [each.state for each in await people.logins()] == [LoginState.CANCELLED]


async def test_who_goes_on_without_is_answered(people: People) -> None:
    """Somebody does not want to sign in, and never gets an answer."""
    model = people.script([CONNECT], ["Without jira I cannot know."])
    await people.world.say("alice", "what is open?")
    await people.world.run(3)
    await people.world.press("alice", "Go on without it")
    await people.world.settle()
    assert await people.answers() == ["Without jira I cannot know."]
    assert "chose not to sign in" in str(model.requests[-1].messages[-1])
    assert [each.state for each in await people.calls()] == [CallState.SKIPPED]
    (card,) = await people.cards()
    assert labels(card) == []


async def test_two_calls_and_two_conversations_ask_once(people: People) -> None:
    """Three calls that need the same login put three questions, or only one of them goes on."""
    people.script([CONNECT, CONNECT], [CONNECT], ["One."], ["Two."])
    await people.world.say("alice", "what is open?")
    await people.world.run(3)
    await people.world.say("alice", "and here?", thread="t2")
    await people.world.run(3)
    assert len(await people.logins()) == 1
    assert "too" in (await people.cards("t2"))[0].text
    await people.sign_in(thread="t2")
    await people.world.settle()
    assert sorted([*await people.answers(), *await people.answers("t2")]) == ["One.", "Two."]
    assert {each.state for each in await people.calls()} == {CallState.DONE}
    assert all(labels(each) == ["Not me"] for each in (*await people.cards(), *await people.cards("t2")))


async def test_forgetting_the_first_conversation_leaves_the_question_to_the_second(people: People) -> None:
    """Alice forgets where she was asked first, and [Sign in] in the other conversation says that it is gone."""
    people.script([CONNECT], [CONNECT], ["Two."])
    await people.world.say("alice", "what is open?")
    await people.world.run(3)
    await people.world.say("alice", "and here?", thread="t2")
    await people.world.run(3)
    reply = (await people.world.command("alice", "forget this")).decision.reply
    assert isinstance(reply, Private)
    await people.world.press_id("alice", next(each.id for each in reply.buttons if each.label == "Forget for good"))
    await people.world.run(5)
    assert (await people.sign_in(thread="t2")).step is Step.DONE
    await people.world.settle()
    assert await people.answers("t2") == ["Two."]
    assert labels((await people.cards("t2"))[0]) == ["Not me"]


async def test_each_person_has_a_login_of_their_own(people: People) -> None:
    """Bob works with Alice's account because she signed in first."""
    people.script([CONNECT], ["Hello Alice."], [CONNECT], [ISSUES], ["Hello Bob."])
    await people.world.say("alice", "connect")
    await people.world.run(3)
    await people.sign_in()
    await people.world.settle()
    await people.world.say("bob", "what is open?", thread="t2")
    await people.world.run(3)
    await people.sign_in("bob", "bob@example.com", thread="t2")
    await people.world.settle()
    assert people.house.calls == [("open_issues", "bob@example.com")]
    assert len({each.owner for each in await people.credentials()}) == 2


async def test_not_me(people: People) -> None:
    """The wrong account is attached, and there is no way back."""
    people.script([CONNECT], ["Connected."])
    await people.world.say("alice", "connect")
    await people.world.run(3)
    await people.sign_in(account="mallory@example.com")
    await people.world.settle()
    assert "mallory@example.com" in (await people.cards())[0].text
    await people.world.press("alice", "Not me")
    await people.world.settle()
    assert people.house.provider.living == 0
    assert await people.credentials() == []
    (card,) = await people.cards()
    assert labels(card) == ["Sign in", "Go on without it"]
    await people.sign_in()
    await people.world.settle()
    assert [each.account for each in await people.credentials()] == ["alice@example.com"]


async def test_a_fresh_login_that_is_refused_is_not_asked_for_again(people: People) -> None:
    """A server that accepts nobody makes the person sign in again and again."""
    people.script([CONNECT], [ISSUES], ["jira does not accept that login."])
    await people.world.say("alice", "what is open?")
    await people.world.run(3)
    await people.sign_in()
    people.house.provider.revoke_access()
    people.house.provider.revoke_refresh()
    await people.world.settle()
    assert (await people.answers())[-1].startswith("jira does not accept that login.")
    assert len(await people.logins()) == 1


async def test_a_login_that_ends_within_minutes_is_asked_for_anew(people: People) -> None:
    """Tokens of a careful server last for minutes: the next question is told "no" instead of being given a way in."""
    people.script([CONNECT], ["Connected."])
    await people.world.say("alice", "connect")
    await people.world.run(3)
    await people.sign_in()
    await people.world.settle()
    people.house.provider.revoke_access()
    people.house.provider.revoke_refresh()
    people.script([ISSUES], [ANSWER])
    await people.world.say("alice", "what is open now?")
    await people.world.run(10)
    await people.sign_in()
    await people.world.settle()
    assert (await people.answers())[-1] == ANSWER


async def test_another_conversation_is_not_said_to_wait_when_it_does_not(people: People) -> None:
    """The person went on without a login there; here it is asked for as if something waited there, too."""
    people.script([CONNECT], ["Seven."])
    await people.world.say("alice", "what is open?")
    await people.world.run(3)
    await people.world.say("alice", "never mind, what is 3 + 4?")
    await people.world.settle()
    people.script([CONNECT], [ANSWER])
    await people.world.say("alice", "and here?", thread="t2")
    await people.world.run(3)
    texts = [each.text for each in await people.cards("t2") if labels(each)]
    assert [each.startswith("**jira** needs a login") for each in texts] == [True]


async def asking_a_busy_server(people: People, retry_after: str) -> None:
    """Alice asks when her token has to be renewed, and the server wants to be left alone."""
    people.script([CONNECT], ["Connected."])
    await people.world.say("alice", "connect")
    await people.world.run(3)
    await people.sign_in()
    await people.world.settle()
    people.house.provider.revoke_access()
    people.house.failing, people.house.retry_after = [429], retry_after
    people.script([ISSUES], [ANSWER])
    await people.world.say("alice", "what is open?")


async def test_a_login_server_that_says_when_is_asked_then(people: People) -> None:
    """A server that asks for two minutes of peace is asked every second."""
    await asking_a_busy_server(people, "120")
    before = people.house.provider.counts["token_requests"]
    await people.world.run(100, step=1)
    assert people.house.provider.counts["token_requests"] == before + 1
    assert "does not answer now" in (await people.answers())[-1]
    await people.world.run(30, step=1)
    await people.world.settle()
    assert people.house.provider.counts["token_requests"] == before + 2
    assert (await people.answers())[-1] == ANSWER


async def test_a_login_server_that_wants_too_long_is_not_waited_for(people: People) -> None:
    """An answer stands still for an hour because a server says so; or nobody learns why it lacks something."""
    await asking_a_busy_server(people, "3600")
    await people.world.run(10)
    await people.world.settle()
    assert (await people.answers())[-1].startswith(ANSWER)
    assert "jira" in (await people.answers())[-1]
    model = people.world.model
    assert isinstance(model, ScriptedModel)
    assert "sign-in does not answer" in str(model.requests[-1].messages)
    assert [each.failure for each in await people.calls()][-1:] == ["oauth_down"]


async def test_a_login_server_that_is_down_is_told(people: People) -> None:
    """An answer stands still for minutes, without a word, because a server does not renew a login."""
    people.script([CONNECT], ["Connected."])
    await people.world.say("alice", "connect")
    await people.world.run(3)
    await people.sign_in()
    await people.world.settle()
    people.house.provider.revoke_access()
    people.house.failing.extend([503] * 9)
    people.script(["Let me see.", ISSUES], [ANSWER])
    await people.world.say("alice", "what is open?")
    await people.world.run(40)
    assert "does not answer now" in (await people.answers())[-1]
    await people.world.settle(seconds=600)
    assert (await people.answers())[-1] == f"Let me see.\n\n{ANSWER}"


async def test_connections_lists_and_ends(people: People) -> None:
    """Somebody cannot see where they are signed in, or cannot end it."""
    assert said(await people.world.command("alice", "connections")) == "You are signed in nowhere through me."
    people.script([CONNECT], ["Connected."])
    await people.world.say("alice", "connect")
    await people.world.run(3)
    await people.sign_in()
    await people.world.settle()
    listed = await people.world.command("alice", "connections")
    assert "alice@example.com" in said(listed)
    assert said(await people.world.command("bob", "connections")) == "You are signed in nowhere through me."
    (button,) = listed.decision.reply.buttons  # type: ignore[union-attr]
    assert "Only" in said(await people.world.press_id("bob", button.id))
    assert "Disconnected" in said(await people.world.press_id("alice", button.id))
    await people.world.settle()
    assert (people.house.provider.living, await people.credentials()) == (0, [])
    assert "gone" in said(await people.world.press_id("alice", button.id))


async def test_a_server_that_cannot_revoke_keeps_nothing_here(people: People) -> None:
    """A dead server keeps the person's login in our database for ever."""
    people.script([CONNECT], ["Connected."])
    await people.world.say("alice", "connect")
    await people.world.run(3)
    await people.sign_in()
    await people.world.settle()
    listed = await people.world.command("alice", "connections")
    await people.house.stop()
    await people.world.press_id("alice", listed.decision.reply.buttons[0].id)  # type: ignore[union-attr]
    await people.world.settle()
    assert await people.credentials() == []


async def test_forgetting_takes_the_logins_along(people: People) -> None:
    """Somebody forgets everything, and their account at the server stays open to whoever finds the token."""
    people.script([CONNECT], ["Connected."])
    await people.world.say("alice", "connect")
    await people.world.run(3)
    await people.sign_in()
    await people.world.settle()
    asked = await people.world.command("alice", "forget everything")
    await people.house.stop()
    await people.world.press_id("alice", asked.decision.reply.buttons[0].id)  # type: ignore[union-attr]
    await people.world.run(0.5)
    await people.house.start()  # a server that is down for a moment is told all the same
    await people.world.settle()
    assert (people.house.provider.living, await people.credentials(), await people.logins()) == (0, [], [])


async def test_at_a_return_it_is_said_how_the_logins_are(people: People) -> None:
    """Somebody comes back, asks, and only then learns that a login has ended."""
    here = "home/dm:alice/t1"
    model = people.script([CONNECT], ["Connected."], ["Welcome back."])
    await people.world.say("alice", "connect", thread=here)
    await people.world.run(3)
    await people.sign_in(thread=here)
    await people.world.settle()
    await people.gone_for_an_hour()
    await people.world.say("alice", "back again", thread=here)
    await people.world.settle()
    texts = [each.text for each in await people.world.posts(here)]
    assert "Back: everything kept.\njira is signed in." in texts
    assert "jira is signed in." in said(await people.world.command("alice", "why", thread=here))
    assert "jira is signed in." in str(model.requests[-1].messages[-1])
    await people.world.store.submit(lambda conn: conn.execute("UPDATE credential SET status = 'needs_login'").rowcount)
    await people.gone_for_an_hour()
    await people.world.say("alice", "and again", thread=here)
    await people.world.settle()
    texts = [each.text for each in await people.world.posts(here)]
    assert "Back: everything kept.\njira needs a new login." in texts


async def test_what_is_said_at_a_return_is_looked_at(people: People) -> None:
    """It says that a login is there, and the first call shows that it is not."""
    here = "home/dm:alice/t1"
    people.script([CONNECT], ["Connected."], ["Welcome back."])
    await people.world.say("alice", "connect", thread=here)
    await people.world.run(3)
    await people.sign_in(thread=here)
    await people.world.settle()
    people.house.provider.revoke_refresh()
    await people.gone_for_an_hour()
    await people.world.say("alice", "back again", thread=here)
    await people.world.settle()
    texts = [each.text for each in await people.world.posts(here)]
    assert "Back: everything kept.\njira needs a new login." in texts
    assert people.house.provider.counts["refreshes"] == 1


async def test_nobody_signs_in_for_the_program(house: ToolHouse, tmp_path: Path) -> None:
    """The program's own login ends, and a person is asked to sign in where no person can."""
    people = await People.open(house, tmp_path / "rejoinder.db", own=True)
    model = people.script(
        [Use("batch__open_issues")], ["Three."], [Use("batch__open_issues")], ["It does not let me in."]
    )
    await people.world.say("alice", "what is open?")
    await people.world.settle()
    assert house.calls == [("open_issues", "the-program")]
    house.own_secret = "another"
    house.provider.revoke_access()
    await people.world.say("alice", "and now?")
    await people.world.settle()
    assert (await people.answers())[-1].startswith("It does not let me in.")
    assert "refused this program" in str(model.requests[-1].messages[-1])
    assert await people.logins() == []
    await people.close()
