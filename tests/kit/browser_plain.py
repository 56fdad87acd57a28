"""A person's browser without its screen: cookies, redirects and forms, as an HTTP client.

Knows: what a browser does with a link and a form. Must not know: what is tested. Each has cookies of its own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape
from types import TracebackType
from typing import Self
from urllib.parse import urljoin

import aiohttp

_FORM = re.compile(r"<form[^>]*method=\"post\"[^>]*>", re.IGNORECASE)
_ACTION = re.compile(r"action=\"([^\"]*)\"")
_TAG = re.compile(r"<(style|script|title).*?</\1>|<[^>]+>", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A page as it was read."""

    url: str
    status: int
    html: str

    @property
    def text(self) -> str:
        """Its words."""
        return " ".join(unescape(_TAG.sub(" ", self.html)).split())


class PlainBrowser:
    """One browser. Use it as a context manager."""

    def __init__(self) -> None:
        self.page: Seen | None = None
        self.trail: list[str] = []  # every address that it has been at

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.close()

    @property
    def cookie(self) -> str:
        """The value of the sign-in's cookie, "" when there is none."""
        return next((each.value for each in self._http.cookie_jar if each.key == "rejoinder_connect"), "")

    async def open(self, url: str) -> Seen:
        """Open an address."""
        return await self._ask("GET", url)

    async def submit(self, **fields: str) -> Seen:
        """Submit the page's form."""
        assert self.page is not None
        form = _FORM.search(self.page.html)
        assert form is not None, f"no form on {self.page.url}: {self.page.text}"
        action = _ACTION.search(form[0])
        return await self._ask("POST", urljoin(self.page.url, unescape(action[1]) if action else ""), fields)

    async def submit_and_stop(self, **fields: str) -> str:
        """Submit the page's form, and only look where it would go next."""
        assert self.page is not None
        async with self._http.post(self.page.url, data=fields, allow_redirects=False) as answer:
            return answer.headers["Location"]

    async def sign_in(self, link: str, person: str) -> Seen:
        """Open a one-time link, go on, sign in as `person` and come back; the last page."""
        await self.open(link)
        await self.submit()
        return await self.submit(person=person)

    async def _ask(self, method: str, url: str, fields: dict[str, str] | None = None) -> Seen:
        async with self._http.request(method, url, data=fields) as answer:
            self.trail += [str(each.url) for each in (*answer.history, answer)]
            self.page = Seen(url=str(answer.url), status=answer.status, html=await answer.text())
            return self.page
