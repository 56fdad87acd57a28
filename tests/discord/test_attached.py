"""A long block of an answer is an attachment of its message: once, whatever becomes of the request and the process."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from bots.discord.adapter import BLOCK_MAX_CHARS
from core.domain.files import AnswerFile
from core.domain.keys import Place
from core.domain.words import say
from core.engine.ports import AnswerState, Piece
from tests.kit.discord_faults import Fault, Kind
from tests.kit.discord_house import House
from tests.kit.discord_world import ATTACH_FILES
from tests.kit.platform_contract import TURN, piece

ROW = "city,people @everyone\n"
ROWS = ROW * 400
HEAD = ROW * ((BLOCK_MAX_CHARS - len("```csv\n")) // len(ROW))
ANSWER = f"Here is `report.csv`:\n\n```csv\n{ROWS}```\n\nAnything else?"
LINE = "All of it as a file: `report.csv`, 400 lines\n\nAnything else?"
FILE = ("report.csv", ROWS.encode())
UNSEEN = "\u200b\u200c\u200d\u2060"
PATCH = r"/messages/\d+$"


def ask(house: House, text: str = "All cities as a CSV, please.") -> str:
    """Alice asks in the channel; the id of the thread to come."""
    return str(house.discord.people.mention("alice", house.discord.people.channel("general"), text)["id"])


def files(house: House, thread: str) -> list[tuple[str, bytes]]:
    """What hangs on the bot's messages there: names and bytes."""
    shown = [file for each in house.discord.ours(thread) for file in each["attachments"]]
    return [(each["filename"], house.discord.world.files[each["id"]]) for each in shown]


def reads(texts: list[str]) -> bool:
    """Whether an answer reads as it shall: three messages of the block, then the line."""
    rows = "".join(texts).count(ROW.strip()) == HEAD.count("\n")
    return rows and texts[-1].endswith(LINE) and all(each and each.count("```") % 2 == 0 for each in texts)


async def hangs(house: House, thread: str) -> None:
    """The answer stands with its file, and nothing more comes."""
    await house.discord.until(lambda: reads(house.discord.texts(thread)))
    await house.discord.until(lambda: files(house, thread))
    await settled(house)
    assert reads(house.discord.texts(thread))
    assert files(house, thread) == [FILE]


async def settled(house: House) -> None:
    """Every effect is over."""
    await house.discord.until(lambda: house.engine.idle)
    await asyncio.sleep(0.2)
    await house.discord.until(lambda: house.engine.idle)


async def test_a_long_block_hangs_on_its_message(house: House) -> None:
    """Four hundred rows fill five messages, the file is missing, or the history has only the line about it."""
    house.script([ANSWER])
    thread = ask(house)
    await hangs(house, thread)
    sent = next(each for each in house.discord.rest.log if each.files)
    assert sent.body is not None
    assert sent.body["allowed_mentions"] == {"parse": [], "replied_user": False}
    model = house.script(["Four hundred."])
    house.discord.people.say("alice", house.discord.world.channels[thread], "How many rows has it?")
    await house.discord.until(lambda: house.discord.texts(thread)[-1] == "Four hundred.")
    assert ROWS.strip() in str(model.requests[-1].messages).replace("\\n", "\n")
    assert files(house, thread) == [FILE]


@pytest.mark.parametrize("words", [100, 200])
async def test_a_block_that_grows_goes_on_in_the_file(house: House, words: int) -> None:
    """While it is being written five messages begin, or lines that were read disappear again."""
    small, large = asyncio.Event(), asyncio.Event()
    prose = "Words. " * words
    house.script([f"{prose}\n\n", ANSWER[:900], small, ANSWER[900:7_000], large, ANSWER[7_000:]])
    thread = ask(house)
    await house.discord.until(lambda: ROW.strip() in "".join(house.discord.texts(thread)))
    small.set()
    grows = "`report.csv` is still being written; all of it comes as a file."
    await house.discord.until(lambda: grows in "".join(house.discord.texts(thread)))
    count = len(house.discord.texts(thread))
    large.set()
    await hangs(house, thread)
    assert len(house.discord.texts(thread)) == count


async def test_a_block_of_two_posts_is_text(house: House) -> None:
    """A script of a screen's length has to be downloaded, or its end is missing where the message is full."""
    script = "```py\n" + "x = 1\n" * 250 + "```"
    house.script(["Words. " * 100 + "\n\n", script[:700], 0.7, script[700:], 0.7, "\n\nBye."])
    thread = ask(house)
    await house.discord.until(lambda: house.discord.texts(thread)[-1:] and "Bye" in house.discord.texts(thread)[-1])
    await settled(house)
    texts = house.discord.texts(thread)
    assert len(texts) == 2
    assert "".join(texts).count("x = 1") == 250
    assert all(each.count("```") % 2 == 0 for each in texts)
    assert files(house, thread) == []


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind=Kind.DROP_BEFORE, method="PATCH", path=PATCH, form=True),
        Fault(kind=Kind.DROP_AFTER, method="PATCH", path=PATCH, form=True, times=3),
        Fault(kind=Kind.STATUS_AFTER, method="PATCH", path=PATCH, form=True, times=5),
        Fault(kind=Kind.LIMIT_USER, method="PATCH", path=PATCH, form=True, seconds=0.3),
        Fault(kind=Kind.PAGE, method="PATCH", path=PATCH, form=True),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.times}",
)
async def test_one_bad_request_leaves_one_file(house: House, fault: Fault) -> None:
    """The file's request is repeated, and the file hangs there twice."""
    house.script([ANSWER])
    house.discord.faults.add(fault)
    thread = ask(house)
    await hangs(house, thread)
    assert fault.times == 0


async def test_a_death_after_the_request_leaves_one_file(house: House) -> None:
    """The process dies when Discord has the file and has not said so."""
    house.discord.faults.add(Fault(kind=Kind.HANG, method="PATCH", path=PATCH, form=True))
    house.script([ANSWER])
    thread = ask(house)
    await house.discord.until(lambda: files(house, thread))
    await house.crash()
    await house.start()
    await hangs(house, thread)
    assert sum(bool(each.files) for each in house.discord.rest.log) == 2


async def test_without_the_permission_it_is_text_as_before(house: House) -> None:
    """Where the bot may not attach files, a part of the answer is missing, or the log is full."""
    for guild in house.discord.world.guilds.values():
        guild.everyone &= ~ATTACH_FILES
        guild.bot_rights &= ~ATTACH_FILES
    with capture_logs() as logs:
        for _ in range(2):
            house.script([ANSWER])
            thread = ask(house)
            await house.discord.until(lambda: "Anything else?" in "".join(house.discord.texts(thread)))  # noqa: B023
            await settled(house)
            texts = house.discord.texts(thread)
            assert "".join(texts).count("city,people") == 400
            assert all(each.count("```") % 2 == 0 for each in texts)
            assert files(house, thread) == []
    assert [each["code"] for each in logs if "stays text" in each["event"]] == ["no_permission"]


@pytest.mark.soak  # half a minute of real pauses
async def test_a_file_that_never_arrives_does_not_hold_up_the_answer(house: House) -> None:
    """A proxy lets no file through, and for a day the answer is not there either."""
    house.discord.faults.add(Fault(kind=Kind.STATUS_BEFORE, method="PATCH", path=PATCH, form=True, times=100))
    house.script([ANSWER])
    thread = ask(house)
    unsure = say("en", "file.unsure")
    await house.discord.until(lambda: unsure in "".join(house.discord.texts(thread)), patience_s=90)
    await settled(house)
    assert "".join(house.discord.texts(thread)).count(ROW.strip()) == 400
    assert files(house, thread) == []


async def test_what_becomes_text_again_is_cut_at_its_lines(house: House) -> None:
    """The first refusal in a channel leaves messages that begin and end within a word."""
    for guild in house.discord.world.guilds.values():
        guild.everyone &= ~ATTACH_FILES
        guild.bot_rights &= ~ATTACH_FILES
    prose = "".join(f"Sentence {n} stands here. " for n in range(150))
    house.script([f"Hello.\n\n{ANSWER}\n\n{prose}\n\nThe end."])
    thread = ask(house)
    await house.discord.until(lambda: "The end." in "".join(house.discord.texts(thread)))
    await settled(house)
    texts = house.discord.texts(thread)
    assert sum(each.count("city,people @everyone") for each in texts) == 400
    assert sum(each.count(" stands here.") for each in texts) == 150
    assert all(each.rstrip().endswith((".", "?", "```")) for each in texts)
    assert all(each.count("```") % 2 == 0 for each in texts)


async def test_a_message_that_cannot_be_edited_any_more_is_followed_by_one_with_the_file(house: House) -> None:
    """An answer that took two hours has no file."""
    discord = house.discord
    discord.messages.old_edits = 0
    channel = discord.people.channel("general")
    said = discord.people.say("alice", channel, "hello")
    place = Place(platform="discord", workspace=channel.guild_id, channel=channel.id, thread=said["id"])
    ref = f"{channel.id}/{said['id']}"
    platform = house.served.platform
    at = await platform.open_answer(place, f"{TURN}:0", ref, piece("Wait.", AnswerState.STREAMING))
    discord.time.advance(7_200)
    report = AnswerFile(name="report.csv", media_type="text/csv", text=ROWS)
    done = Piece(turn_id=TURN, n=0, text="Here.", state=AnswerState.DONE, files=(report,))
    assert await platform.write_answer(at, done) == await platform.write_answer(at, done) != at
    assert [each.strip(UNSEEN) for each in discord.texts(said["id"])] == ["Wait.", "Here."]
    assert files(house, said["id"]) == [FILE]
