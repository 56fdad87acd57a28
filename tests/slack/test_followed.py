"""What people change or take back is followed: while we listen, and while we were away."""

from __future__ import annotations

from bots.slack import ids
from bots.slack.heard import Edited
from bots.slack.ids import Ref
from bots.slack.intake import Receiver
from bots.slack.posts import PAGE, PAGES_MAX
from core.domain.events import Author
from tests.kit.slack_people import MENTION
from tests.kit.slack_state import TEAM, Message
from tests.kit.slack_world import ALICE, GENERAL, SlackWorld

GRAVE = "This message was deleted."


async def away(world: SlackWorld) -> None:
    """The bot is not there, and what happens now is never told to it."""
    await world.stop()
    world.server.feed.paused = True


async def back(world: SlackWorld) -> None:
    """It is there again, much later."""
    await world.run(400.0, step=10.0)  # Slack has given up bringing it
    await world.clock.leap(3_600)
    world.server.feed.paused = False
    await world.start()
    await world.settle()


async def heard_by_model(world: SlackWorld, root: str) -> str:
    """What the model is sent with the next message."""
    model = world.script(["ok"])
    before = len(model.requests)
    world.people.say(ALICE, GENERAL, "and now?", root)
    await world.settle()
    (request,) = model.requests[before:]
    return str(request.messages)


async def test_an_edit_while_we_were_away_is_followed(world: SlackWorld) -> None:
    """Alice corrects herself while the bot is down, and it goes on with the wrong name."""
    root = world.ask("my app is called Heron")
    await world.settle()
    later = world.people.say(ALICE, GENERAL, "it has three users", root)
    await world.settle()
    await world.clock.leap(7_200)
    await away(world)
    world.people.edit(GENERAL, root, f"{MENTION} my app is called Crane")
    world.people.edit(GENERAL, later, "it has four users")
    await back(world)
    sent = await heard_by_model(world, root)
    assert ("Heron" in sent, "Crane" in sent) == (False, True)
    assert ("three users" in sent, "four users" in sent) == (False, True)
    assert len(world.answers(root)) == 3, "an edit was answered"


async def test_what_was_taken_back_while_we_were_away_is_gone(world: SlackWorld) -> None:
    """Alice takes her first message back while the bot is down, and it still knows what it said."""
    root = world.ask("the password is swordfish")
    await world.settle()
    await away(world)
    world.people.remove(GENERAL, root)
    await back(world)
    sent = await heard_by_model(world, root)
    assert "swordfish" not in sent
    assert GRAVE not in sent


async def test_a_first_message_that_is_taken_back_leaves_no_words(world: SlackWorld) -> None:
    """Slack puts a sentence of its own where a message with replies was: the model reads it as Alice's words."""
    root = world.ask("the password is swordfish")
    await world.settle()
    world.people.remove(GENERAL, root)
    await world.settle()
    sent = await heard_by_model(world, root)
    assert "swordfish" not in sent
    assert GRAVE not in sent
    assert "taken back" in sent


async def test_an_older_reading_does_not_undo_a_newer_edit(world: SlackWorld) -> None:
    """What was read while we came back arrives after what was told live, and puts the old words back."""
    root = world.ask("my app is called Heron")
    await world.settle()
    receiver = Receiver(world.slack.platform, world.engine, world.slack.replies, "en")
    ref = Ref(channel=GENERAL, ts=root, thread=root)
    for text, at in (("my app is called Crane", "30.000001"), ("my app is called Egret", "20.000001")):
        edit = Edited(
            place=ids.place(TEAM, GENERAL, root),
            ref=str(ref),
            text=text,
            at=at,
            source_keys=(),
            author=Author(key=ids.person(TEAM, ALICE), name="Alice"),
        )
        await receiver.changed(edit)
    sent = await heard_by_model(world, root)
    assert ("Crane" in sent, "Egret" in sent) == (True, False)


async def test_a_busy_day_hides_nothing_that_is_new(world: SlackWorld) -> None:
    """A thread with a thousand messages since yesterday: the one that was said while the bot was away is not heard."""
    root = world.ask("hello")
    await world.settle()
    channel = world.server.slack.channels[GENERAL]
    for _ in range(PAGE * PAGES_MAX):
        each = Message(channel=GENERAL, ts=world.server.slack.ts(), thread=root, user="U0BOB", text="chatter")
        channel.messages[each.ts] = each
    await world.clock.leap(7_200)
    await away(world)
    await world.clock.leap(600)
    world.people.say(ALICE, GENERAL, "are you still there?", root)
    await back(world)
    assert len(world.answers(root)) == 2
