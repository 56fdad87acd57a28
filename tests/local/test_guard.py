"""Nobody but this machine and whoever holds the token reaches the chat."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bots.web.guard import COOKIE, Asked, GuardPolicy, Verdict, judge
from tests.local.conftest import House, close_house, open_house

NONE = GuardPolicy()
TOKEN = GuardPolicy(token="s3cret-token")
PUBLIC = GuardPolicy(token="s3cret-token", public_url="https://bot.example/")

GOOD = Asked(route="/api/messages", method="POST", peer="127.0.0.1", hosts=("127.0.0.1:8080",), has_body=True)
GOOD = replace(GOOD, content_type="application/json", headers=frozenset({"host", "content-type"}))
READ = Asked(route="/", peer="127.0.0.1", hosts=("localhost:8080",), headers=frozenset({"host"}))


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:8080", "127.9.9.9:1", "localhost", "LOCALHOST:80", "[::1]", "[::1]:8080"]
)
@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_this_machine_is_let_in(host: str, peer: str) -> None:
    """The page would not open in one's own browser."""
    for asked in (GOOD, READ):
        assert judge(replace(asked, hosts=(host,), peer=peer), NONE) is Verdict.ALLOW


HOSTS = ["evil.example", "evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", "0.0.0.1"]
HOSTS += ["", " ", "[::2]", "[::ffff:127.0.0.1]", "2130706433", "127.1", "localhost:x", "a@localhost", "localhost/x"]
HOSTS += ["localhost.", "127.0.0.1:99999", "foo.localhost"]


@pytest.mark.parametrize("host", HOSTS, ids=[f"{n}" for n in range(len(HOSTS))])
def test_another_host_is_kept_out(host: str) -> None:
    """A page on the web whose name resolves to this machine would read everything (DNS rebinding)."""
    for asked in (GOOD, READ):
        assert judge(replace(asked, hosts=(host,)), NONE) is Verdict.NOT_HERE
        assert judge(replace(asked, hosts=(host,)), TOKEN) is Verdict.NEEDS_TOKEN


FORWARDED = ["forwarded", "via", "x-real-ip", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-forwarded"]


@pytest.mark.parametrize("header", FORWARDED)
def test_what_was_forwarded_is_kept_out(header: str) -> None:
    """A reverse proxy on this machine would open the chat to the world."""
    for asked in (GOOD, READ):
        assert judge(replace(asked, headers=asked.headers | {header}), NONE) is Verdict.NOT_HERE


@pytest.mark.parametrize("peer", ["192.168.1.5", "172.17.0.1", "8.8.8.8", "fe80::1", "", "::ffff:10.0.0.1"])
def test_another_machine_is_kept_out_whatever_it_says(peer: str) -> None:
    """Anybody on the network could write `Host: localhost` and be let in."""
    assert judge(replace(GOOD, peer=peer), NONE) is Verdict.NOT_HERE
    assert judge(replace(READ, peer=peer), TOKEN) is Verdict.NEEDS_TOKEN


ORIGINS: list[tuple[tuple[str, ...], bool]] = [
    ((), True),
    (("http://127.0.0.1:8080",), True),
    (("HTTP://127.0.0.1:8080",), True),
    (("http://127.0.0.1:3000",), False),
    (("http://localhost:8080",), False),
    (("https://evil.example",), False),
    (("null",), False),
    (("",), False),
    (("file://127.0.0.1:8080",), False),
    (("http://127.0.0.1:8080.evil.example",), False),
    (("http://127.0.0.1:8080", "https://evil.example"), False),
]


@pytest.mark.parametrize(("origins", "allowed"), ORIGINS, ids=[f"{n}" for n in range(len(ORIGINS))])
def test_another_site_is_kept_out(origins: tuple[str, ...], *, allowed: bool) -> None:
    """Any page that somebody visits could speak to the bot in their name."""
    assert (judge(replace(GOOD, origins=origins), NONE) is Verdict.ALLOW) is allowed
    signed_in = replace(GOOD, peer="10.0.0.9", origins=origins, cookie=TOKEN.cookie())
    assert (judge(signed_in, TOKEN) is Verdict.ALLOW) is allowed


@pytest.mark.parametrize(
    ("site", "mode", "route", "allowed"),
    [
        ("same-origin", "cors", "/api/threads", True),
        ("none", "navigate", "/", True),
        ("cross-site", "navigate", "/", True),
        ("cross-site", "no-cors", "/", False),
        ("cross-site", "navigate", "/api/threads", False),
        ("same-site", "cors", "/api/threads", False),
    ],
)
def test_what_another_site_sends_without_an_origin(site: str, mode: str, route: str, *, allowed: bool) -> None:
    """An image or a script tag of another site could call the API; or a link to the page would not work."""
    asked = replace(READ, route=route, fetch_site=site, fetch_mode=mode)
    assert (judge(asked, NONE) is Verdict.ALLOW) is allowed


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_a_body_that_a_form_can_send_is_refused(kind: str) -> None:
    """A form of another site could post a message."""
    assert judge(replace(GOOD, content_type=kind), NONE) is Verdict.NOT_JSON
    assert judge(replace(GOOD, content_type=kind, cookie=TOKEN.cookie()), TOKEN) is Verdict.NOT_JSON


def test_the_token_opens_everything_but_the_public_host() -> None:
    """The chat could not be used from a phone; or it would be open under the public address."""
    far = replace(GOOD, peer="203.0.113.5", hosts=("chat.example",), headers=GOOD.headers | {"x-forwarded-for"})
    assert judge(far, TOKEN) is Verdict.NEEDS_TOKEN
    assert judge(replace(far, bearer="s3cret-token"), TOKEN) is Verdict.ALLOW
    assert judge(replace(far, cookie=TOKEN.cookie()), TOKEN) is Verdict.ALLOW
    for wrong in ("", "s3cret-toke", "s3cret-token ", "S3CRET-TOKEN", "\udcff"):
        assert judge(replace(far, bearer=wrong, cookie=wrong), TOKEN) is Verdict.NEEDS_TOKEN
    assert judge(replace(far, cookie="s3cret-token"), TOKEN) is Verdict.NEEDS_TOKEN
    assert judge(replace(far, bearer=""), NONE) is Verdict.NOT_HERE
    for host in ("bot.example", "BOT.example:443"):
        assert judge(replace(far, hosts=(host,), bearer="s3cret-token"), PUBLIC) is Verdict.NOT_FOUND


PUBLIC_ROUTES = {
    "/slack/events": True,
    "/oauth/callback": True,
    "/connect/{id}": True,
    "/r": True,
    "/healthz": True,
    "/": False,
    "/readyz": False,
    "/metrics": False,
    "/login": False,
    "/api/about": False,
    "/static/{name}": False,
    "/rx": False,
    "/slack": False,
    "": False,
}


@pytest.mark.parametrize(("route", "served"), PUBLIC_ROUTES.items(), ids=[f"{n}" for n in range(len(PUBLIC_ROUTES))])
def test_under_the_public_host_only_what_outsiders_need(route: str, *, served: bool) -> None:
    """The chat or the metrics would be on the internet; or Slack could not reach us."""
    asked = Asked(route=route, peer="127.0.0.1", hosts=("bot.example",), headers=frozenset({"x-forwarded-for"}))
    assert (judge(asked, PUBLIC) is Verdict.ALLOW) is served
    assert judge(asked, PUBLIC) in {Verdict.ALLOW, Verdict.NOT_FOUND}


def test_metrics_and_unknown_routes_are_guarded_and_probes_are_not() -> None:
    """Figures about everybody would be open; or an orchestrator could not see that we live."""
    far = replace(READ, hosts=("10.1.2.3:8080",), peer="10.1.2.1")
    for route in ("/metrics", "/", "", "/static/{name}"):
        assert judge(replace(far, route=route), NONE) is Verdict.NOT_HERE
    for route in ("/healthz", "/readyz"):
        assert judge(replace(far, route=route), NONE) is Verdict.ALLOW


def test_a_public_url_on_this_machine_changes_nothing() -> None:
    """Trying sign-in pages on one's own machine would take the chat away."""
    local = GuardPolicy(public_url="http://localhost:8080")
    assert judge(replace(READ, hosts=("localhost:8080",)), local) is Verdict.ALLOW


def test_the_token_is_not_shown() -> None:
    """The token would stand in a log."""
    assert "s3cret" not in repr(TOKEN)
    assert "s3cret" not in TOKEN.cookie()


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[House]:
    """A running chat with a token and a public address."""
    found = await open_house(tmp_path / "rejoinder.db", policy=PUBLIC)
    yield found
    await close_house(found)


REFUSED = [
    ({"Host": "evil.example"}, 401),
    ({"Origin": "https://evil.example"}, 401),
    ({"X-Forwarded-For": "1.2.3.4"}, 401),
    ({"Content-Type": "text/plain"}, 415),
    ({"Host": "bot.example"}, 404),
    ({"Host": "bot.example", "Authorization": "Bearer s3cret-token"}, 404),
    ({"Host": "evil.example", "Authorization": "Bearer s3cret-token"}, 202),
    ({"Host": "evil.example", "Authorization": "bearer  s3cret-token"}, 202),
    ({"Host": "evil.example", "Authorization": "Basic s3cret-token"}, 401),
    ({}, 202),
]


@pytest.mark.parametrize(("headers", "status"), REFUSED, ids=[f"{n}" for n in range(len(REFUSED))])
async def test_over_a_socket(guarded: House, headers: dict[str, str], status: int) -> None:
    """The rule would be right and the server would not ask it."""
    body = b'{"person":"alice","channel":"dm","text":"hi"}'
    all_headers = {"Content-Type": "application/json"} | headers
    url = f"{guarded.server.url}/api/messages"
    async with guarded.http.post(url, data=body, headers=all_headers) as response:
        assert response.status == status
        assert ("error" in await response.json()) is (status >= 400)


async def test_signing_in_by_link(guarded: House) -> None:
    """A phone could not be signed in; or a wrong link would."""
    login = f"{guarded.server.url}/login"
    host = {"Host": "chat.example"}
    async with guarded.http.get(login, params={"token": "wrong"}, headers=host) as response:
        assert response.status == 401
        assert "Set-Cookie" not in response.headers
    params = {"token": "s3cret-token"}
    async with guarded.http.get(login, params=params, headers=host, allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (303, "/")
        cookie = response.headers["Set-Cookie"]
    for wanted in ("HttpOnly", "SameSite=Strict", "Path=/", f"{COOKIE}={PUBLIC.cookie()}"):
        assert wanted in cookie
    signed_in = host | {"Cookie": f"{COOKIE}={PUBLIC.cookie()}"}
    async with guarded.http.get(guarded.server.url + "/", headers=signed_in) as response:
        assert response.status == 200
    async with guarded.http.get(login, params=params, headers={"Host": "bot.example"}) as response:
        assert response.status == 404


async def test_two_hosts_are_none(house: House) -> None:
    """A request that says both `localhost` and another name would be let in by one and served to the other."""
    reader, writer = await asyncio.open_connection("127.0.0.1", house.server.port)
    writer.write(b"GET /api/about HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    assert answer.split(b" ", 2)[1] in {b"400", b"403"}
    writer.close()
    reader, writer = await asyncio.open_connection("127.0.0.1", house.server.port)
    writer.write(b"GET /api/about HTTP/1.0\r\n\r\n")
    assert b" 403 " in (await reader.read()).splitlines()[0]
    writer.close()
