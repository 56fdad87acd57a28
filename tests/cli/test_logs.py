"""The log's second net: whatever somebody logs, no words of people and no secret come out."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest
import structlog

from bots import logs
from core.domain.entities import Draft
from core.domain.errors import Refused
from core.settings import LogFormat

CANARY = "canary-7f3a"


@pytest.fixture(params=list(LogFormat))
def out(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    """What the process would write, in each form; the handlers of pytest come back afterwards."""
    root, stream = logging.getLogger(), io.StringIO()
    handlers, level = root.handlers[:], root.level
    logs.set_up(request.param, (f"secret-{CANARY}",), stream)
    yield stream
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()
    sys.excepthook = sys.__excepthook__
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_line_says_what_happened(out: io.StringIO) -> None:
    """An operator would see an empty log."""
    structlog.get_logger("rejoinder.test").info("recovered", effects=3, kind="Deliver")
    assert "recovered" in out.getvalue()
    assert "Deliver" in out.getvalue()
    assert "3" in out.getvalue()


def test_content_is_withheld(out: io.StringIO) -> None:
    """What people wrote would lie in the log for ever, beyond the reach of /forget."""
    log = structlog.get_logger("rejoinder.test")
    log.info("said", text=CANARY, message=CANARY, title=CANARY, author=CANARY)
    log.info("seen", draft=Draft(effect_id="e", n=1, text=CANARY), rows=[CANARY], raw=CANARY.encode())
    assert CANARY not in out.getvalue()
    assert "seen" in out.getvalue()


WITHHELD = (
    "answer arguments author blocks body card content data draft headers input items label message messages name "
    "output params payload prompt query said system text title token url value values words"
)


@pytest.mark.parametrize("name", WITHHELD.split())
def test_what_is_called_like_content_is_withheld(out: io.StringIO, name: str) -> None:
    """What a model passes to a tool, or a person to a form, stands in the log because somebody logged the call."""
    structlog.get_logger("rejoinder.test").info("called", **{name: CANARY}, tool="look_up")
    assert CANARY not in out.getvalue()
    assert "look_up" in out.getvalue()


@pytest.mark.parametrize(
    "secret",
    [
        f"secret-{CANARY}",
        f"xoxb-1-{CANARY}",
        f"xapp-1-{CANARY}",
        f"sk-ant-api03-{CANARY}",
        f"Bearer {CANARY}",
        f"https://host/callback?code={CANARY}&state=1",
        f"{'M' * 24}.Gabcde.{CANARY}{'x' * 27}",
        f"eyJhbGciOi.{CANARY}.sig",
    ],
)
def test_secrets_are_masked_wherever_they_stand(out: io.StringIO, secret: str) -> None:
    """A token in the log is a token for everybody who reads logs."""
    structlog.get_logger("rejoinder.test").warning(f"refused {secret} twice", reason=secret)
    logging.getLogger("aiohttp.client").warning("refused %s", secret)
    assert CANARY not in out.getvalue()
    assert out.getvalue().count("refused") == 2


def test_a_resume_code_is_masked(out: io.StringIO) -> None:
    """Whoever reads the log could carry on somebody's conversation."""
    structlog.get_logger("rejoinder.test").info("looked up 7GK2-M4QX-9TZP-C3WA", epoch=1)
    assert "7GK2" not in out.getvalue()


def test_an_exception_tells_its_place_and_not_its_words(out: io.StringIO) -> None:
    """An error that quotes a message would carry it into the log."""
    try:
        try:
            _ = {"": 0}[CANARY]
        except KeyError as error:
            raise Refused(code="model_invalid", detail=CANARY) from error
    except Refused:
        structlog.get_logger("rejoinder.test").exception("performer failed", effect="01J")
        logging.getLogger("core.anything").exception("failed")
    group = ExceptionGroup(CANARY, [ValueError(CANARY), PermissionError(13, "Permission denied", CANARY)])
    structlog.get_logger("rejoinder.test").error("several", exc_info=group)
    text = out.getvalue()
    assert CANARY not in text
    assert "Refused: model_invalid" in text
    assert "KeyError" in text
    assert "PermissionError: Permission denied" in text
    assert "test_logs.py" in text


def test_a_crash_is_told_without_its_words(out: io.StringIO) -> None:
    """The last thing a process says would be what somebody wrote to it."""
    error = ValueError(CANARY)
    sys.excepthook(ValueError, error, None)
    assert "ValueError" in out.getvalue()
    assert CANARY not in out.getvalue()


def test_libraries_are_heard_from_warning_on(out: io.StringIO) -> None:
    """ANTHROPIC_LOG=debug would print whole conversations."""
    library = logging.getLogger("anthropic._base_client")
    library.setLevel(logging.DEBUG)
    library.debug("Request options: %s", CANARY)
    library.info("HTTP Request: %s", CANARY)
    library.setLevel(logging.NOTSET)
    logging.getLogger("core.engine.loop").info("heard")
    assert CANARY not in out.getvalue()
    assert "heard" in out.getvalue()


def test_json_is_one_object_a_line() -> None:
    """A log collector would choke on the first multi-line traceback."""
    root, stream = logging.getLogger(), io.StringIO()
    handlers, level = root.handlers[:], root.level
    try:
        logs.set_up(LogFormat.JSON, (), stream)
        try:
            int(CANARY)
        except ValueError:
            structlog.get_logger("rejoinder.test").exception("line\nbreak")
    finally:
        structlog.reset_defaults()
        sys.excepthook = sys.__excepthook__
        root.handlers[:] = handlers
        root.setLevel(level)
        logging.captureWarnings(capture=False)
    (line,) = stream.getvalue().splitlines()
    assert json.loads(line)["level"] == "error"
