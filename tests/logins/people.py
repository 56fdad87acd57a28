"""People who use the tools of one server, each with a login of their own, in the whole house.

Knows: how the house is put together, how somebody signs in. Must not know: what is tested.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TypeVar
from urllib.parse import parse_qs, urlsplit

from core.domain.decision import Policy, Private
from core.domain.keys import PersonKey, Place
from core.domain.links import reveal
from core.domain.secret import Secret
from core.domain.tooling import Auth, Credential, Login, ToolCall
from core.drivers.clock import SystemClock
from core.drivers.mcp_tools import McpTools
from core.engine.points import Point, nowhere
from core.engine.ports import Accepted, Post
from core.engine.vault import Back, OAuthServer, Page, Step
from core.tool_settings import ToolServer
from storage.rows import CREDENTIAL, LOGIN, TOOL_CALL, Table
from tests.kit.browser_plain import PlainBrowser
from tests.kit.clock import ManualClock
from tests.kit.oauth_server import OWN_SECRET, ToolHouse
from tests.kit.planner import Planner
from tests.kit.scripted import ScriptedModel, Use
from tests.kit.scripted import Step as Say
from tests.kit.world import BASE, World

E = TypeVar("E")

ISSUES = Use("jira__open_issues")
CONNECT = Use("jira__connect")
_LINK = re.compile(r"http\S+/connect/(\w+)")


class People:
    """Make it with `People.open`, end it with `close`. `world` is the running house, another one after `reborn`."""

    def __init__(self, house: ToolHouse, world: World, tools: McpTools) -> None:
        self.house = house
        self.world = world
        self.tools = tools

    @classmethod
    async def open(
        cls,
        house: ToolHouse,
        path: Path,
        *,
        language: str = "en",
        point: Point = nowhere,
        plan: str = "",
        own: bool = False,
    ) -> People:
        """Start the house.

        `plan`: what its model plans for a task. `own`: beside jira there is batch, the same server with a login of the
        program's own.
        """
        settings = ToolServer(url=house.url, auth=Auth.OAUTH, timeout=timedelta(seconds=10))
        batch = {"batch": settings.model_copy(update={"auth": Auth.CLIENT_CREDENTIALS})} if own else {}
        tools = McpTools({"jira": settings} | batch, SystemClock())
        await tools.recall()
        clock = ManualClock()
        world = await World.open(
            path,
            clock=clock,
            model=Planner(clock, plan) if plan else ScriptedModel(clock),
            policy=Policy(login_servers=("jira",), tool_servers=("jira",), language=language),
            tools=tools,
            servers={
                "jira": OAuthServer(name="jira", url=house.url),
                "batch": OAuthServer(
                    name="batch", url=house.url, own=True, client_id="the-program", client_secret=Secret(OWN_SECRET)
                ),
            },
            point=point,
        )
        if own:
            await tools.look("batch", await world.signing.vault.bearer("", "batch"))
        return cls(house, world, tools)

    async def close(self) -> None:
        """End calmly."""
        await self.world.close()
        await self.tools.close()

    async def reborn(self, *, point: Point = nowhere) -> None:
        """A crash, and the next start on the same file."""
        self.world = await self.world.reborn(point=point)

    def script(self, *scripts: Sequence[Say]) -> ScriptedModel:
        """Tell the model what to do in its next calls."""
        model = self.world.model
        assert isinstance(model, ScriptedModel)
        model.scripts = [list(each) for each in scripts]
        return model

    # --------------------------------------------------------------------------------------- signing in

    async def pressed(self, person: str = "alice", *, thread: str = "t1") -> str:
        """Press [Sign in]; the link that this person gets in private."""
        accepted = await self.world.press(person, "Sign in", thread=thread)
        found = _LINK.search(reveal(BASE, said(accepted)))
        assert found is not None, said(accepted)
        return found[1]

    async def leave(self, link: str) -> tuple[str, str]:
        """Open the link and go on: the cookie, and the address of the authorization server."""
        opened = await self.world.logins.open(link, "")
        assert opened.step is Step.CONFIRM
        page = await self.world.logins.leave(link, opened.browser.reveal())
        assert page.goto, page.step
        return opened.browser.reveal(), page.goto

    async def way_back(self, goto: str, account: str = "alice@example.com") -> Back:
        """Sign in at the authorization server: what it sends the browser back with."""
        async with PlainBrowser() as browser:
            await browser.open(goto)
            back = await browser.submit_and_stop(person=account)
        query = {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()}
        return Back(state=query["state"], code=Secret(query.get("code", "")), error=query.get("error", ""))

    async def sign_in(self, person: str = "alice", account: str = "alice@example.com", *, thread: str = "t1") -> Page:
        """The whole way, from the button to the last page."""
        cookie, goto = await self.leave(await self.pressed(person, thread=thread))
        return await self.world.logins.back(await self.way_back(goto, account), cookie)

    async def browse(self, account: str, *, known: str = "", thread: str = "t1") -> Page:
        """The whole way in a browser of Alice's that is known, or not, by this cookie."""
        link = await self.pressed(thread=thread)
        opened = await self.world.logins.open(link, "", known=known)
        browser = opened.browser.reveal()
        left = await self.world.logins.leave(link, browser, known=known)
        return await self.world.logins.back(await self.way_back(left.goto, account), browser, known=known)

    async def whispers(self) -> tuple[Post, ...]:
        """The cards about logins that Alice alone sees."""
        place = await self.world.local.open_private(PersonKey(platform="local", workspace="home", user="alice"))
        assert place is not None
        sql = "SELECT DISTINCT place FROM board_post WHERE place LIKE ? ORDER BY n"
        rows = await self.world.store.read(lambda conn: conn.execute(sql, (f"{place}%",)).fetchall())
        posts = [each for (text,) in rows for each in await self.world.local.posts(Place.parse(text))]
        return tuple(each for each in posts if "jira" in each.text)

    async def press_private(self, person: str, label: str) -> Accepted:
        """Press the button with this label on the newest of these cards."""
        card = (await self.whispers())[-1]
        button = next(each.id for each in card.buttons if each.label == label)
        return await self.world.press_id(person, button, thread=f"home/{card.place.channel}/{card.place.thread}")

    async def gone_for_an_hour(self) -> None:
        """Nobody says anything until the conversation is parked."""
        for _ in range(2):
            await self.world.run(35 * 60, step=60)
            await self.world.engine.ring()
            await self.world.run(3)

    # ------------------------------------------------------------------------------------ what is there

    async def cards(self, thread: str = "t1") -> list[Post]:
        """The cards about logins in a thread."""
        posts = await self.world.posts(thread)
        return [each for each in posts if each.card and "jira" in each.text]

    async def answers(self, thread: str = "t1") -> list[str]:
        """The answers in a thread, without cards."""
        return [each.text for each in await self.world.posts(thread) if not each.author and not each.card]

    async def credentials(self) -> list[Credential]:
        """All logins."""
        return await self._all(CREDENTIAL)

    async def logins(self) -> list[Login]:
        """All questions to sign in."""
        return await self._all(LOGIN)

    async def calls(self) -> list[ToolCall]:
        """All tool calls."""
        return await self._all(TOOL_CALL)

    async def _all(self, table: Table[E]) -> list[E]:
        sql = f"{table.select} ORDER BY id"
        return [table.decode(row) for row in await self.world.store.read(lambda conn: conn.execute(sql).fetchall())]


def said(accepted: Accepted) -> str:
    """The private answer to a press or a command."""
    reply = accepted.decision.reply
    assert isinstance(reply, Private)
    return reply.text


def labels(post: Post) -> list[str]:
    """The buttons of a post."""
    return [each.label for each in post.buttons]
