"""Everything that can go wrong on the way to Claude, over a real socket: three kinds of errors, never another."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import traceback
from dataclasses import dataclass

import pytest
from pydantic import SecretStr

from core.domain.errors import Fault as Blame
from core.domain.errors import NotSent, OutsideError, Refused
from core.drivers.claude import ClaudeModel
from core.drivers.claude_call import Call
from core.drivers.claude_sdk import Connection
from core.drivers.clock import SystemClock
from core.engine.ports import Cut, Finished, ModelRequest, Said
from tests.drivers.conftest import KEY
from tests.drivers.test_claude_stream import request
from tests.kit.claude_script import Behaviour, Fault
from tests.kit.claude_server import ClaudeServer
from tests.kit.clock import ManualClock, turn

TEXT = "The quick brown fox jumps over the lazy dog and runs away."


@dataclass(kw_only=True)
class Heard:
    """What a listener got."""

    said: str = ""
    last: Finished | None = None
    problem: Exception | None = None


async def hear(model: ClaudeModel, asked: ModelRequest | None = None) -> Heard:
    """Listen, and keep whatever is raised."""
    heard = Heard()
    try:
        async for piece in model.stream(asked or request("Hello")):
            if isinstance(piece, Said):
                heard.said += piece.text
            else:
                heard.last = piece
    except Exception as problem:  # noqa: BLE001 - the test is about which one it is
        heard.problem = problem
    return heard


BEFORE = [
    (Fault.OVERLOADED, NotSent, "model_busy"),
    (Fault.RATE_LIMIT, NotSent, "model_busy"),
    (Fault.SERVER_ERROR, NotSent, "model_down"),
    (Fault.UNAVAILABLE, NotSent, "model_down"),
    (Fault.SPEND_LIMIT, Refused, "model_spend_limit"),
    (Fault.OWN_SPEND_LIMIT, Refused, "model_spend_limit"),
    (Fault.AUTH, Refused, "model_auth"),
    (Fault.PERMISSION, Refused, "model_permission"),
    (Fault.BILLING, Refused, "model_billing"),
    (Fault.UNKNOWN_MODEL, Refused, "model_unknown"),
    (Fault.TOO_LARGE, Refused, "model_too_long"),
    (Fault.TOO_LONG, Refused, "model_too_long"),
    (Fault.BOUND_THINKING, Refused, "model_bound_thinking"),
    (Fault.DROP, Cut, "model_cut"),
]
WITHIN = [
    (Fault.RST, "model_cut"),
    (Fault.FIN, "model_cut"),
    (Fault.EARLY_END, "model_cut"),
    (Fault.NO_STOP_REASON, "model_cut"),
    (Fault.ERROR_EVENT, "model_error"),
    (Fault.BAD_JSON, "model_error"),
    (Fault.BAD_SSE, "model_error"),
    (Fault.BAD_EVENT, "model_error"),
]


@pytest.mark.parametrize(("fault", "kind", "code"), BEFORE, ids=[str(case[0]) for case in BEFORE])
async def test_fault_before_the_answer(
    model: ClaudeModel, server: ClaudeServer, fault: Fault, kind: type[OutsideError], code: str
) -> None:
    """The person is told the true reason, and only what is worth waiting for is tried again."""
    server.push(Behaviour(fault=fault, text=TEXT))
    heard = await hear(model)
    assert type(heard.problem) is kind
    assert heard.problem.code == code
    assert (heard.said, heard.last) == ("", None)
    assert len(server.log) == 1, "the SDK's own retries are hidden and not durable: there must be none"


@pytest.mark.parametrize(("fault", "code"), WITHIN, ids=[str(case[0]) for case in WITHIN])
async def test_fault_within_the_answer(model: ClaudeModel, server: ClaudeServer, fault: Fault, code: str) -> None:
    """What was said before the break is kept, and the break is one that can be continued from."""
    server.push(Behaviour(fault=fault, text=TEXT, after=24))
    heard = await hear(model)
    assert type(heard.problem) is Cut
    assert heard.problem.code == code
    assert TEXT[:24].startswith(heard.said)
    if fault is not Fault.RST:  # a reset may discard what the kernel had not handed over
        assert heard.said == TEXT[:24]
    assert heard.problem.usage.tokens_in > 0
    assert heard.problem.usage.tokens_out >= len(heard.said) // 3
    assert heard.problem.usage.cost > 0


@pytest.mark.parametrize(
    ("fault", "code"), [(Fault.AFTER_START, "model_cut"), (Fault.NOT_A_STREAM, "model_cut")], ids=str
)
async def test_nothing_but_a_beginning(model: ClaudeModel, server: ClaudeServer, fault: Fault, code: str) -> None:
    """An answer that breaks before its first word is no empty answer."""
    server.push(Behaviour(fault=fault))
    heard = await hear(model)
    assert type(heard.problem) is Cut
    assert (heard.problem.code, heard.said) == (code, "")


async def test_error_event_of_any_type_is_a_cut(model: ClaudeModel, server: ClaudeServer) -> None:
    """An error inside a stream comes with status 200: what was said by then is kept, whatever its type is."""
    for kind in ("overloaded_error", "api_error", "rate_limit_error", "authentication_error"):
        server.push(Behaviour(fault=Fault.ERROR_EVENT, error_type=kind, text=TEXT, after=9))
        heard = await hear(model)
        assert isinstance(heard.problem, Cut)
        assert kind in heard.problem.detail


@pytest.mark.parametrize("fault", [Fault.PINGS, Fault.SILENCE, Fault.HANG], ids=str)
async def test_silence_ends_the_call(server: ClaudeServer, fault: Fault) -> None:
    """A dead call does not hold a turn for ever, even when the server goes on pinging."""
    clock = ManualClock()
    model = ClaudeModel(SecretStr(KEY), server.url, clock, silence_s=60)
    await model.warm()
    server.push(Behaviour(fault=fault, text=TEXT, after=24))
    task = asyncio.create_task(hear(model))
    expected = "" if fault is Fault.HANG else TEXT[:24]
    await server.until(lambda: bool(server.log and server.log[0].failing))
    await turn(200)
    await clock.advance(59)
    assert not task.done()
    await clock.advance(2)
    heard = await task
    assert isinstance(heard.problem, Cut)
    assert (heard.problem.code, heard.said) == ("model_silent", expected)
    await server.until(lambda: server.log[0].gone)
    await model.close()


async def test_thinking_may_be_silent_for_longer(server: ClaudeServer) -> None:
    """A hard question is not cut off while Claude thinks without a word; but not for ever either."""
    clock = ManualClock()
    model = ClaudeModel(SecretStr(KEY), server.url, clock, silence_s=60, thinking_silence_s=300)
    await model.warm()
    server.push(Behaviour(fault=Fault.SILENT_THINKING))
    task = asyncio.create_task(hear(model))
    await server.until(lambda: bool(server.log and server.log[0].failing))
    await turn(200)
    await clock.advance(290)
    assert not task.done()
    await clock.advance(11)
    heard = await task
    assert isinstance(heard.problem, Cut)
    assert heard.problem.code == "model_silent"
    await model.close()


async def test_read_timeout_is_silence(server: ClaudeServer) -> None:
    """Should our own watch fail, the SDK's read time-out ends the call in the same way."""
    connection = Connection(key=SecretStr(KEY), base_url=server.url, connect_s=5, read_s=0.05)
    for fault in (Fault.SILENCE, Fault.HANG):
        server.push(Behaviour(fault=fault, text=TEXT, after=24))
        call = Call(clock=SystemClock(), model="claude-sonnet-5-5")
        await connection.ask(request("Hello"), call)
        with pytest.raises(Cut, match="model_silent"):
            async for _ in call.pieces():
                pass
    await connection.close()


async def test_nobody_listens() -> None:
    """A provider that cannot be reached was not asked: the question waits and nothing was spent."""
    with socket.socket() as plug:
        plug.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{plug.getsockname()[1]}"
        model = ClaudeModel(SecretStr(KEY), url, SystemClock())
        heard = await hear(model)
    assert type(heard.problem) is NotSent
    assert heard.problem.code == "model_unreachable"
    await model.close()


async def test_unknown_host_and_bad_address() -> None:
    """A wrong ANTHROPIC_BASE_URL is reported like a provider that is away."""
    for url in ("http://no-such-host.invalid", "ftp://127.0.0.1"):
        model = ClaudeModel(SecretStr(KEY), url, SystemClock())
        heard = await hear(model)
        assert type(heard.problem) is NotSent
        assert heard.problem.code == "model_unreachable"
        await model.close()


@pytest.mark.parametrize(
    ("header", "wait_ms"),
    [("3", 3000), ("0.25", 250), ("86400", 86_400_000)]
    + [(mad, None) for mad in ("", "soon", "-5", "inf", "1e400", "nan", "99999999999")],
)
async def test_retry_after(server: ClaudeServer, header: str, wait_ms: int | None) -> None:
    """The message tells the right time of the next try, and a mad header parks nobody for a year."""
    clock = ManualClock(now_ms=1_000_000)
    model = ClaudeModel(SecretStr(KEY), server.url, clock)
    server.push(Behaviour(fault=Fault.RATE_LIMIT, retry_after=header))
    heard = await hear(model)
    assert isinstance(heard.problem, NotSent)
    assert heard.problem.retry_ms == (None if wait_ms is None else 1_000_000 + wait_ms)
    await model.close()


async def test_retry_after_as_a_date(server: ClaudeServer) -> None:
    """A date is measured by the provider's own clock, so a machine whose clock is wrong waits right."""
    clock = ManualClock(now_ms=1_000_000)
    model = ClaudeModel(SecretStr(KEY), server.url, clock)
    server.push(Behaviour(fault=Fault.OVERLOADED, retry_after="Fri, 31 Dec 1999 23:59:59 GMT"))
    heard = await hear(model)
    assert isinstance(heard.problem, NotSent)
    assert heard.problem.retry_ms is None, "a date in the past says nothing"
    await model.close()


async def test_form_errors_are_refused(model: ClaudeModel, server: ClaudeServer) -> None:
    """A request that the API will never take is not repeated for ever: prefill, empty text, no JSON."""
    prefill = request("Hello", "Half an ans")
    nothing = request("")
    unspeakable = request(messages=({"role": "user", "content": [{"type": "text", "text": object()}]},))
    lone = request("\ud800")
    for asked in (prefill, nothing, unspeakable, lone):
        heard = await hear(model, asked)
        assert type(heard.problem) is Refused
        assert (heard.problem.code, heard.problem.fault) == ("model_invalid", Blame.OURS)
    assert len(server.log) == 2


async def test_changed_prefix_is_named(model: ClaudeModel, server: ClaudeServer) -> None:
    """A conversation whose system prompt changed is answered after one more try, without its old thoughts."""
    server.push(Behaviour(thinking="Hm.", text="Yes."))
    heard = await hear(model)
    assert heard.last
    history = (
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": json.loads(heard.last.blocks)},
        {"role": "user", "content": "And now?"},
    )
    again = await hear(model, request(messages=history, system="Be verbose."))
    assert isinstance(again.problem, Refused)
    assert again.problem.code == "model_bound_thinking"


async def test_check_reports_like_a_call(model: ClaudeModel, server: ClaudeServer) -> None:
    """`rejoinder doctor` names an unknown model; a server without a list of models is no problem."""
    server.models = False
    with pytest.raises(Refused, match="model_unknown"):
        await model.check()
    await server.stop()
    with pytest.raises(NotSent, match="model_unreachable"):
        await model.check()


@pytest.mark.parametrize("fault", [case[0] for case in BEFORE] + [case[0] for case in WITHIN], ids=str)
async def test_key_is_never_seen(
    model: ClaudeModel, server: ClaudeServer, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    """The key is in no error, log line or traceback, even when the server sends our own headers back."""
    caplog.set_level(logging.DEBUG)
    server.echo_headers = True
    server.push(Behaviour(fault=fault, text=TEXT))
    problem = (await hear(model)).problem
    assert isinstance(problem, OutsideError)
    seen = "".join(traceback.TracebackException.from_exception(problem, capture_locals=True).format())
    seen += f"{problem!r} {problem} {problem.detail} {problem.args} {caplog.text} {model!r} {vars(model)}"
    assert KEY not in seen
    assert problem.__cause__ is None, "the SDK's error carries the request, and that carries the key"
    assert problem.__context__ is None
    assert len(problem.detail) < 300
