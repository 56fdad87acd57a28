"""What the SDK raises -> the three errors of the port.

Knows: the provider's statuses, error types and codes (`facts/model.md` sections 2 and 4).
Must not know: what happens next. The SDK's errors carry the request, and that carries the key: they are
never chained, printed or stored, only their status, type, code and a short, cleaned text go on.

    before the stream    429 busy | 529 busy | 5xx, 408, 409 down | no connection      -> NotSent
                         401 | 402 | 403 | 404 | 413 | other 4xx | spend limits        -> Refused
                         the connection broke before an answer: it may have been heard -> Cut
    within the stream    anything at all, and SSE errors come with status 200          -> Cut
"""

from __future__ import annotations

import re
from http import HTTPStatus

import anthropic
import httpx2
from pydantic import SecretStr

from core.domain.errors import Fault, NotSent, OutsideError, Refused
from core.drivers.claude_call import Call
from core.drivers.retry_after import retry_ms
from core.engine.ports import Cut

_DETAIL_CHARS = 240
_OVERLOADED = 529

_NEVER_LEFT = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.ProxyError,
    httpx2.UnsupportedProtocol,
)
_BY_STATUS: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: "model_auth",
    HTTPStatus.PAYMENT_REQUIRED: "model_billing",
    HTTPStatus.FORBIDDEN: "model_permission",
    HTTPStatus.NOT_FOUND: "model_unknown",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "model_too_long",
}
_LATER = (
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.CONFLICT,
    HTTPStatus.TOO_EARLY,
    HTTPStatus.TOO_MANY_REQUESTS,
)
# A plain 400 says more only in words; these are the ones that lead to another next step.
_BY_WORDS = (
    (re.compile(r"bound to a different conversation", re.IGNORECASE), "model_bound_thinking"),
    (
        re.compile(r"too long|exceed\w* (the )?context|too many (total )?tokens", re.IGNORECASE),
        "model_too_long",
    ),
    (re.compile(r"usage limit|spend limit", re.IGNORECASE), "model_spend_limit"),
    (re.compile(r"credit balance", re.IGNORECASE), "model_billing"),
)
_NOT_THE_OPERATOR = ("model_too_long", "model_invalid", "model_bound_thinking")


class Reporter:
    """Translates one client's errors; knows its key only to keep it out of them."""

    def __init__(self, key: SecretStr) -> None:
        self._key = key

    def translate(self, error: Exception, call: Call) -> OutsideError:
        """The port's error for whatever ended `call`."""
        if call.begun:
            broken = isinstance(error, httpx2.TransportError) and not isinstance(error, httpx2.TimeoutException)
            silent = isinstance(error, httpx2.TimeoutException)
            code = "model_cut" if broken else "model_silent" if silent else "model_error"
            return call.cut(code, self._detail(error))
        return self.before(error, call.now_ms())

    def before(self, error: Exception, now_ms: int) -> OutsideError:
        """The port's error for what went wrong before the provider answered."""
        detail = self._detail(error)
        if isinstance(error, anthropic.APIStatusError):
            return self.refusal(error, now_ms)
        cause = error.__cause__ if isinstance(error, anthropic.APIConnectionError) else error
        if isinstance(cause, _NEVER_LEFT):
            return NotSent(code="model_unreachable", detail=detail)
        if isinstance(cause, httpx2.LocalProtocolError | TypeError | ValueError):
            return Refused(code="model_invalid", detail=detail, fault=Fault.OURS)  # never left, never will
        return Cut(code=_cut_as(cause), detail=detail)

    def refusal(self, error: anthropic.APIStatusError, now_ms: int) -> NotSent | Refused:
        """The port's error for an answer that is not 200."""
        status, detail = error.status_code, self._detail(error)
        if code := _refused_as(error):
            fault = Fault.OURS if code in _NOT_THE_OPERATOR else Fault.OPERATOR
            return Refused(code=code, detail=detail, fault=fault)
        busy = status in (HTTPStatus.TOO_MANY_REQUESTS, _OVERLOADED) or error.type == "overloaded_error"
        code = "model_busy" if busy else "model_down"
        return NotSent(code=code, detail=detail, retry_ms=retry_ms(error.response.headers, now_ms))

    def _detail(self, error: Exception) -> str:
        """For operators: never the SDK's own text of an unknown error, which may hold request or key."""
        if not isinstance(error, anthropic.APIStatusError):
            cause = error.__cause__
            return type(error).__name__ + (f" ({type(cause).__name__})" if cause is not None else "")
        words = " ".join((error.api_message or "").split())
        name = error.error_code or error.type or type(error).__name__
        text = f"{error.status_code} {name} {error.request_id or 'no request id'}: {words}"
        return self._clean(text)[:_DETAIL_CHARS]

    def _clean(self, text: str) -> str:
        secret = self._key.get_secret_value()
        return text.replace(secret, "[key]") if secret else text


def _cut_as(error: BaseException | None) -> str:
    """How a call ended that had been on its way."""
    if isinstance(error, httpx2.TimeoutException):
        return "model_silent"
    return "model_cut" if isinstance(error, httpx2.TransportError) else "model_error"


def _refused_as(error: anthropic.APIStatusError) -> str | None:
    """The code of a definite no; None when it is worth waiting for."""
    status = error.status_code
    if (error.error_code or "").endswith("spend_limit_reached"):
        return "model_spend_limit"
    if status == HTTPStatus.TOO_MANY_REQUESTS or status in _LATER or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return None
    if status in (HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY):
        words = error.api_message or ""
        return next((code for pattern, code in _BY_WORDS if pattern.search(words)), "model_invalid")
    return _BY_STATUS.get(status, "model_invalid")
