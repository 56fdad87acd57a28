"""The vault and the sign-in on a real file, against a real tool server, without the engine.

Knows: how the parts fit. Must not know: what is tested. What the engine would decide about a finished sign-in is done
here in one line: the credential is saved. `reborn` is another process on the same file.
"""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from core.domain.events import LinkStrayed, SignedIn
from core.domain.keys import PersonKey
from core.domain.links import LIFE_MS, digest_of_link, new_link
from core.domain.secret import Secret
from core.domain.stamp import Stamp
from core.domain.tooling import Credential, Login
from core.drivers.clock import SystemClock
from core.drivers.oauth_login import OAuthLogins
from core.drivers.oauth_parts import Parts
from core.drivers.oauth_vault import OAuthVault
from core.drivers.oauth_wire import Wire
from core.engine.points import Point, nowhere
from core.engine.vault import Back, OAuthServer, Page
from storage import SqliteStore, open_store
from storage.credentials import SqliteCredentials
from storage.rows import LOGIN, Scalar
from storage.sealing import Keys
from storage.vault import SealedVault
from tests.kit.browser_plain import PlainBrowser
from tests.kit.oauth_server import OWN_SECRET, ToolHouse

ALICE = PersonKey(platform="local", workspace="home", user="alice")
OWNER = "owner-of-alice"
BASE = "http://127.0.0.1:9"  # nobody is there: the way back is read off, not followed
_NUMBERS = itertools.count(1)


class Desk:
    """Make it with `Desk.open`, end it with `close`."""

    def __init__(self, house: ToolHouse, path: Path, store: SqliteStore, keys: Keys, point: Point) -> None:
        self.house = house
        self.path = path
        self.store = store
        self.keys = keys
        self.clock = SystemClock()
        self.rows = SqliteCredentials(store)
        self.seal = SealedVault(keys)
        self.wire = Wire(self.clock.now_ms)
        self.told: list[SignedIn] = []
        self.strayed: list[str] = []
        servers = {
            "jira": OAuthServer(name="jira", url=house.url),
            "wiki": OAuthServer(name="wiki", url=house.url),
            "batch": OAuthServer(
                name="batch", url=house.url, own=True, client_id="the-program", client_secret=Secret(OWN_SECRET)
            ),
        }
        self.parts = Parts(
            servers=servers, rows=self.rows, seal=self.seal, clock=self.clock, wire=self.wire, point=point
        )
        self.vault = OAuthVault(self.parts)
        self.logins = OAuthLogins(self.parts, accept=self.accept, base=lambda: BASE)

    @classmethod
    async def open(
        cls, house: ToolHouse, path: Path, *, keys: Keys | None = None, point: Callable[[str], None] = nowhere
    ) -> Desk:
        """Open the file, which may be there already."""
        return cls(house, path, await open_store(path), keys or Keys(bytes(32)), point)

    async def close(self) -> None:
        """End calmly."""
        await self.vault.close()
        await self.wire.close()
        await self.store.close()

    async def reborn(self, *, keys: Keys | None = None) -> Desk:
        """Another process on the same file."""
        await self.close()
        return await Desk.open(self.house, self.path, keys=keys or self.keys)

    async def accept(self, event: SignedIn | LinkStrayed) -> None:
        """Save what the sign-in brought, as the engine would."""
        if isinstance(event, LinkStrayed):
            self.strayed.append(event.login_id)
            return
        self.told.append(event)
        if event.credential is None:
            return
        new = event.credential
        old = await self.rows.credential(new.owner, new.server)
        if old is not None:
            new = replace(new, id=old.id, version=old.version + 1)
        assert await self.rows.swap(new, old.version if old is not None else None)

    async def link(self, server: str = "jira", owner: str = OWNER) -> str:
        """A new login with a one-time link, as a press on [Sign in] makes it."""
        stamp = Stamp(now_ms=self.clock.now_ms(), seed=f"link-{next(_NUMBERS)}")
        link = new_link(stamp)
        login = Login(
            id=stamp.ulid("login"),
            owner=owner,
            asker=ALICE,
            session_id="s1",
            server=server,
            created_ms=stamp.now_ms,
            link=digest_of_link(link),
            expires_ms=stamp.now_ms + LIFE_MS,
        )
        await self.sql(LOGIN.upsert, *LOGIN.encode(login))
        return link

    async def leave(self, link: str) -> tuple[str, str]:
        """Open the link and go on: the cookie, and the address of the authorization server."""
        opened = await self.logins.open(link, "")
        page = await self.logins.leave(link, opened.browser.reveal())
        assert page.goto, page.step
        return opened.browser.reveal(), page.goto

    async def way_back(self, goto: str, person: str = "alice@example.com") -> Back:
        """Sign in at the authorization server: what it sends the browser back with."""
        async with PlainBrowser() as browser:
            await browser.open(goto)
            back = await browser.submit_and_stop(person=person)
        query = {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()}
        return Back(
            state=query.get("state", ""),
            code=Secret(query.get("code", "")),
            error=query.get("error", ""),
            issuer=query.get("iss", ""),
        )

    async def sign_in(self, person: str = "alice@example.com", server: str = "jira") -> Page:
        """The whole way."""
        link = await self.link(server)
        cookie, goto = await self.leave(link)
        return await self.logins.back(await self.way_back(goto, person), cookie)

    async def credential(self, server: str = "jira", owner: str = OWNER) -> Credential:
        """The login as it stands."""
        found = await self.rows.credential(owner, server)
        assert found is not None
        return found

    async def let_expire(self) -> None:
        """The access token has expired, here and there."""
        self.house.provider.revoke_access()
        await self.sql("UPDATE credential SET expires_ms = 1000")

    async def sql(self, sql: str, *values: Scalar) -> None:
        """Change the database behind everybody's back."""

        def unit(conn: sqlite3.Connection) -> None:
            conn.execute(sql, values)

        await self.store.submit(unit)
