"""The one HTTP server: probes, metrics, headers, and a clear word when it cannot listen."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry

from bots.local import page
from bots.web.guard import GuardPolicy
from bots.web.server import CannotListen, WebServer
from tests.local.conftest import House

STATIC = Path(page.__file__).parent / "static"


async def test_probes_and_metrics(house: House) -> None:
    """An orchestrator would restart a healthy process, or operators would see nothing."""
    assert await house.get("/healthz") == {"ok": True}
    assert await house.get("/readyz") == {"ready": True}
    async with house.http.get(house.server.url + "/metrics") as response:
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("text/plain")
        assert "received_total 3.0" in await response.text()


def a_server(*routes: web.RouteDef, port: int = 0, reason: str = "", host: str = "127.0.0.1") -> WebServer:
    """A server with some routes."""

    async def ready() -> str:
        return reason

    return WebServer(host, port, routes, guard_policy=GuardPolicy(), ready=ready, registry=CollectorRegistry())


async def test_not_ready_says_why(house: House) -> None:
    """A deployment would send people to a process that cannot store their words."""
    server = a_server(reason="the store is full")
    await server.start()
    async with house.http.get(server.url + "/readyz") as response:
        assert (response.status, await response.json()) == (503, {"ready": False, "reason": "the store is full"})
    await server.stop()
    await server.stop()


async def test_a_port_in_use_is_told(house: House) -> None:
    """Starting twice would end in a stack trace."""
    with pytest.raises(CannotListen) as told:
        await a_server(port=house.server.port).start()
    assert told.value.code == "port_in_use"
    assert "REJOINDER_HTTP_PORT" in told.value.detail
    with pytest.raises(CannotListen) as told:
        await a_server(host="203.0.113.77").start()
    assert told.value.code == "host_unknown"


async def test_what_nobody_expected_is_told_without_its_details(house: House) -> None:
    """An error of ours would show its insides to whoever caused it."""

    async def broken(request: web.Request) -> web.StreamResponse:
        raise RuntimeError("the secret is 42")

    server = a_server(web.get("/broken", broken))
    await server.start()
    async with house.http.get(server.url + "/broken") as response:
        assert response.status == 500
        assert "42" not in await response.text()
    await server.stop()


@pytest.mark.parametrize("path", ["/", "/static/app.css", "/api/about", "/api/nothing", "/healthz"])
async def test_every_answer_has_the_security_headers(house: House, path: str) -> None:
    """The page could be framed, sniffed or made to run what is not ours."""
    async with house.http.get(house.server.url + path) as response:
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert response.headers["X-Frame-Options"] == "DENY"
        assert "Cache-Control" in response.headers
        assert "Server" not in response.headers


async def test_the_page_is_served_and_cached_by_content(house: House) -> None:
    """A new release would be mixed with the old one's files."""
    async with house.http.get(house.server.url + "/") as response:
        assert response.content_type == "text/html"
        html = await response.text()
    names = re.findall(r'/static/([\w.-]+)"', html)
    assert "main.js" in names
    for name in names:
        async with house.http.get(f"{house.server.url}/static/{name}") as response:
            assert response.status == 200
            tag = response.headers["ETag"]
        again = {"If-None-Match": tag}
        async with house.http.get(f"{house.server.url}/static/{name}", headers=again) as response:
            assert response.status == 304


@pytest.mark.parametrize("file", sorted(STATIC.iterdir()), ids=lambda file: file.name)
def test_the_page_fetches_nothing_from_elsewhere_and_builds_no_markup(file: Path) -> None:
    """A text could become markup, or a third party would see who uses the page."""
    text = file.read_text("utf-8")
    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"):
        assert word not in text
    urls = {url for url in re.findall(r"(?:https?:)?//[\w-]+(?:\.[\w-]+)+", text) if "www.w3.org" not in url}
    assert urls == set()
    assert len(text.splitlines()) <= 400


def test_the_page_has_no_inline_script_or_style() -> None:
    """The content policy would block it, and the page would stay empty."""
    html = (STATIC / "index.html").read_text("utf-8")
    assert not re.search(r"<script(?![^>]*\bsrc=)", html)
    assert not re.search(r"\s(on\w+|style)=", html)
    assert "<style" not in html
