"""People who talk all the time to a bot that is killed all the time.

Knows: the JSON API as clients use it: what was not acknowledged is sent again under the same key, who sees a button
that is meant for them presses it. Must not know: what the bot is made of.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from contextlib import closing
from functools import partial
from http import HTTPStatus
from typing import TypeVar

import aiohttp

from bots.local import ids
from tests.crash.acts import Say
from tests.crash.stage import Spoken
from tests.kit.claude_script import make_text
from tests.kit.process import PATIENCE_S, POLL_S, Bot, until

T = TypeVar("T")

WORDS = 40
SCRIPT = {"default": {"words": WORDS, "delay_ms": 15}}  # half a second for an answer, and the bot's own debounce
HEAD_CHARS = 60  # of a question, in an answer (see `make_text`)
_WAITS = 0.7  # the share of messages whose author waits for the answer
_LIVES = (0.1, 2.0)  # how long a started process lives, in the time that its start took: about a second, more on a
# busy machine, where everything else takes longer, too
_LOOK_S = 0.1
_ANSWER_S = 3 * PATIENCE_S  # a life must outlast the import of the SDK to get on, and many do not
_PATIENT_LOOKS = 10
_BUTTONS = ("Try again", "Answer all")


def read_claude(answer: str) -> tuple[str | None, bool]:
    """See `talker.read_answer`, for the texts of `make_text`; of a long question "", for they show its beginning."""
    head, found, said = answer.removeprefix("Answer to <").partition(">: ")
    words = make_text("", WORDS).partition(">: ")[2]
    question = head if len(head) < HEAD_CHARS - 1 else ""
    return (question if found and words.startswith(said) else None), said == words


class Load:
    """Some people and one killer. `spoken` is what was said, `failed` how often a person had to press Try again."""

    def __init__(self, bot: Bot, chance: random.Random) -> None:
        self.spoken: list[Spoken] = []
        self.kills = 0
        self.pressed = 0
        self._bot = bot
        self._chance = chance
        self._pressed: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._over = False

    async def run(self, people: int, kills: int) -> None:
        """Let everybody talk until the bot was killed so often, then let everybody be answered."""
        talking = [asyncio.create_task(self._talk(f"p{n}")) for n in range(people)]
        killing = asyncio.create_task(self._kill(kills))
        first, _ = await asyncio.wait([killing, *talking], return_when=asyncio.FIRST_COMPLETED)
        for done in first:  # nobody but the killer is done by now, unless something is wrong
            done.result()
        self._over = True
        await asyncio.gather(*talking)
        await until(self._at_rest)

    async def _at_rest(self) -> bool | None:
        """Whether the bot has nothing more to do."""
        sql = "SELECT count(*) FROM effect WHERE state IN ('pending', 'started')"
        with closing(sqlite3.connect(f"{self._bot.database.as_uri()}?mode=ro", uri=True)) as conn:
            return not conn.execute(sql).fetchone()[0] or None

    async def _kill(self, kills: int) -> None:
        started_s = 1.0
        for _ in range(kills):
            await asyncio.sleep(self._chance.uniform(*_LIVES) * max(1.0, started_s))
            await self._bot.kill()
            self.kills += 1
            begun = time.monotonic()
            await self._bot.start()
            started_s = time.monotonic() - begun

    async def _talk(self, person: str) -> None:
        thread = await self._say(person, 1, None)
        n = 1
        while not self._over:
            if self._chance.random() < _WAITS:
                await self._answered(thread, person)
            n += 1
            await self._say(person, n, thread)
        await self._answered(thread, person)

    async def _say(self, person: str, n: int, thread: str | None) -> str:
        text = f"{person}.{n}"
        key = ids.message_key(ids.person_key(ids.WORKSPACES[0], person), text)
        spoken = Spoken(say=Say(text=text, person=person, thread=person), key=key)
        self.spoken.append(spoken)
        thread = await self._insist(partial(self._bot.say, person, text, key=text, thread=thread))
        spoken.acknowledged = True
        return thread

    async def _answered(self, thread: str, person: str) -> None:
        """Return when the last word is the bot's, nothing is being written and nobody has to press anything."""
        messages: list[dict[str, object]] = []
        for _ in range(round(_ANSWER_S / _LOOK_S)):
            messages = await self._insist(partial(self._bot.thread, thread, person))
            pressed = await self._press(messages, person)
            said = [each for each in messages if "private" not in each]
            calm = not pressed and all(each["state"] != "streaming" and "unsent" not in each for each in said)
            if calm and said[-1]["bot"]:
                return
            await asyncio.sleep(_LOOK_S)
        wanted = [each for each in messages if each["buttons"]] or messages[-2:]
        raise AssertionError(f"{person} waits for ever: {wanted}")

    async def _press(self, messages: list[dict[str, object]], person: str) -> bool:
        """Press what is meant for the person, and again when it is still shown later: it was not the time."""
        shown: dict[str, str] = {}
        for message in messages:
            buttons = message["buttons"]
            assert isinstance(buttons, list)
            shown |= {str(message["id"]): each["id"] for each in buttons if each["label"] in _BUTTONS}
        looked = self._pressed[person]
        for message_id, button in shown.items():
            if looked[message_id] % _PATIENT_LOOKS == 0:
                self.pressed += 1
                await self._insist(partial(self._bot.press, person, message_id, button, key=f"press {self.pressed}"))
            looked[message_id] += 1
        for message_id in set(looked) - set(shown):
            del looked[message_id]
        return bool(shown)

    async def _insist(self, do: Callable[[], Awaitable[T]]) -> T:
        """Do it, again and again while the bot is down."""
        for _ in range(round(PATIENCE_S / POLL_S)):
            await self._bot.up.wait()
            try:
                return await do()
            except aiohttp.ClientResponseError as error:
                if error.status != HTTPStatus.SERVICE_UNAVAILABLE:
                    raise
            except (aiohttp.ClientError, OSError):
                pass
            await asyncio.sleep(POLL_S)
        raise AssertionError("the bot does not come back")
