"""From a tool server's address to where a person signs in, with servers of every age and bad servers."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from core.domain.errors import NotSent, Refused
from core.domain.secret import Secret
from core.drivers.clock import SystemClock
from core.drivers.oauth_discovery import Provider, discover, for_people
from core.drivers.oauth_tokens import Client, Grant, refreshed, registered
from core.drivers.oauth_wire import BODY_MAX_BYTES, Wire
from core.engine.vault import OAuthServer

PROTECTED = "/.well-known/oauth-protected-resource"
SERVER = "/.well-known/oauth-authorization-server"
OPENID = "/.well-known/openid-configuration"


@dataclass
class Site:
    """A server that answers what a test has put at each path; `{origin}` in it is its own address."""

    origin: str = ""
    answers: dict[str, object] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    challenge: str = ""
    asked: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer as the test wants."""
        path = request.path
        self.asked.append(path)
        if path == "/mcp":
            header = {"WWW-Authenticate": self.challenge.replace("{origin}", self.origin)} if self.challenge else {}
            return web.Response(status=401, headers=header)
        if path not in self.answers:
            return web.Response(status=self.statuses.get(path, 404), text="<html>nothing here</html>")
        found = self.answers[path]
        text = found if isinstance(found, str) else json.dumps(found)
        return web.Response(text=text.replace("{origin}", self.origin), status=self.statuses.get(path, 200))


def metadata(issuer: str = "{origin}", **more: object) -> Mapping[str, object]:
    """Give the metadata of an authorization server."""
    return {
        "issuer": issuer,
        "authorization_endpoint": "{origin}/authorize",
        "token_endpoint": "{origin}/token",
        "registration_endpoint": "{origin}/register",
        "code_challenge_methods_supported": ["S256"],
        **more,
    }


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """Give a running site."""
    made = Site()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.origin = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    """Give what makes the requests."""
    made = Wire(SystemClock().now_ms)
    yield made
    await made.close()


async def find(site: Site, wire: Wire) -> Provider:
    """Look where a person signs in for the site's tools."""
    return for_people(await discover(wire, f"{site.origin}/mcp"))


async def test_where_the_401_says(site: Site, wire: Wire) -> None:
    """A server that names its metadata in the 401 is not understood."""
    site.challenge = 'Bearer error="invalid_token", resource_metadata="{origin}/about", scope="read write"'
    site.answers["/about"] = {"resource": "{origin}/mcp", "authorization_servers": ["{origin}/tenant"]}
    site.answers[f"{SERVER}/tenant"] = metadata("{origin}/tenant", revocation_endpoint="{origin}/revoke")
    found = await find(site, wire)
    assert (found.issuer, found.scopes) == (f"{site.origin}/tenant", ("read", "write"))
    assert (found.token, found.revoke) == (f"{site.origin}/token", f"{site.origin}/revoke")


@pytest.mark.parametrize("path", [f"{PROTECTED}/mcp", PROTECTED])
async def test_where_the_standard_says(site: Site, wire: Wire, path: str) -> None:
    """A server that says nothing in its 401 is not found."""
    site.answers[path] = {"resource": "{origin}/mcp", "authorization_servers": ["{origin}"], "scopes_supported": ["a"]}
    site.answers[SERVER] = metadata(scopes_supported=["a", "offline_access"])
    found = await find(site, wire)
    assert (found.resource, found.scopes) == (f"{site.origin}/mcp", ("a", "offline_access"))


async def test_openid_only(site: Site, wire: Wire) -> None:
    """An identity provider that only knows OpenID's way is not found."""
    site.answers[PROTECTED] = {"resource": "{origin}", "authorization_servers": ["{origin}/realm"]}
    site.answers[f"/realm{OPENID}"] = metadata("{origin}/realm", userinfo_endpoint="{origin}/me")
    assert (await find(site, wire)).userinfo == f"{site.origin}/me"


async def test_a_server_from_before_metadata(site: Site, wire: Wire) -> None:
    """An older MCP server cannot be signed in at."""
    found = await find(site, wire)
    assert (found.authorize, found.register) == (f"{site.origin}/authorize", f"{site.origin}/register")


Case = tuple[dict[str, object], str]
WRONG: dict[str, Case] = {
    "other resource": ({PROTECTED: {"resource": "http://127.0.0.1:1/mcp"}}, "oauth_other_resource"),
    "other issuer": ({SERVER: metadata("https://evil.example.com")}, "oauth_other_issuer"),
    "no S256": ({SERVER: metadata(code_challenge_methods_supported=["plain"])}, "oauth_no_pkce"),
    "a file": ({SERVER: metadata(token_endpoint="file:///etc/passwd")}, "oauth_unsafe"),
    "a script": ({SERVER: metadata(authorization_endpoint="javascript:alert(1)")}, "oauth_unsafe"),
    "a login in it": ({SERVER: metadata(token_endpoint="http://a:b@127.0.0.1/token")}, "oauth_unsafe"),
    "nowhere for people": ({SERVER: metadata(authorization_endpoint="")}, "oauth_no_metadata"),
    "no token endpoint": ({SERVER: metadata(token_endpoint="")}, "oauth_no_metadata"),
    "no metadata": ({PROTECTED: {"authorization_servers": ["{origin}/x"]}}, "oauth_no_metadata"),
}


@pytest.mark.parametrize("name", sorted(WRONG))
async def test_what_cannot_be_believed_is_refused(site: Site, wire: Wire, name: str) -> None:
    """A tool server sends people, codes or secrets to somebody else's address."""
    site.answers, code = dict(WRONG[name][0]), WRONG[name][1]
    with pytest.raises(Refused) as refused:
        await find(site, wire)
    assert refused.value.code == code


async def test_a_program_needs_no_place_for_people(site: Site, wire: Wire) -> None:
    """A server for programs only cannot be used, because nobody could sign in there."""
    site.answers[SERVER] = {"issuer": "{origin}", "token_endpoint": "{origin}/token"}
    assert (await discover(wire, f"{site.origin}/mcp")).token == f"{site.origin}/token"


async def test_a_broken_server_is_down_and_not_old(site: Site, wire: Wire) -> None:
    """While the metadata cannot be read, people are sent to made-up addresses."""
    site.answers[SERVER], site.statuses[SERVER] = {}, 503
    with pytest.raises(NotSent):
        await find(site, wire)


def grant(site: Site) -> Grant:
    """Give a login at the site."""
    return Grant(
        access=Secret("a"),
        refresh=Secret("canary-refresh"),
        client=Client(id="c"),
        token=f"{site.origin}/token",
        revoke="",
        resource="",
        scopes="read",
    )


GOOD = {"access_token": "new", "token_type": "bearer", "expires_in": "60"}


async def test_what_a_refresh_does_not_mention_stays(site: Site, wire: Wire) -> None:
    """A server that does not rotate loses the refresh token; one that counts in texts has no expiry."""
    site.answers["/token"] = GOOD
    fresh = await refreshed(wire, grant(site))
    assert (fresh.access, fresh.refresh, fresh.scopes) == (Secret("new"), Secret("canary-refresh"), "read")
    assert fresh.expires_s == 60


@pytest.mark.parametrize(
    ("status", "answer", "code"),
    [
        (400, {"error": "invalid_grant", "error_description": "canary-refresh is not known"}, "invalid_grant"),
        (200, {"error": "bad_refresh_token"}, "bad_refresh_token"),
        (401, {"error": "invalid_client"}, "invalid_client"),
        (200, {"ok": True}, "oauth_no_token"),
        (200, {"access_token": "x", "token_type": "mac"}, "oauth_no_token"),
        (400, {"error": "<b>strange & long</b>" * 9}, "oauth_refused"),
    ],
)
async def test_a_clear_no(site: Site, wire: Wire, status: int, answer: object, code: str) -> None:
    """A refused token is tried for ever."""
    site.answers["/token"], site.statuses["/token"] = answer, status
    with pytest.raises(Refused) as refused:
        await refreshed(wire, grant(site))
    assert refused.value.code == code
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (500, {"error": "invalid_grant", "error_description": "canary-refresh is not known"}),
        (429, {}),
        (400, {"error": "temporarily_unavailable"}),
        (403, "<html>our firewall is unhappy</html>"),
        (200, "not json"),
        (302, {}),
        (200, {"access_token": "x" * BODY_MAX_BYTES, "token_type": "bearer"}),
        (200, "[" * 100_000),
    ],
)
async def test_no_clear_no(site: Site, wire: Wire, status: int, answer: object) -> None:
    """A bad day of the server, or of somebody in between, signs everybody out."""
    site.answers["/token"], site.statuses["/token"] = answer, status
    with pytest.raises(NotSent) as late:
        await refreshed(wire, grant(site))
    assert "canary" not in str(late.value)


async def test_a_server_that_registers_nobody_says_what_to_do(site: Site, wire: Wire) -> None:
    """An operator does not learn that a client_id has to be set."""
    provider = Provider(issuer="", resource="", authorize="", token="")
    with pytest.raises(Refused, match=r"set client_id in \[tools\.jira\]"):
        await registered(wire, OAuthServer(name="jira", url=""), provider, "http://back")
