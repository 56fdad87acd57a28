"""The program's log: text for people, JSON for machines, and never a message text or a token in either.

Knows: which words of a log line are safe to write. Must not know: who logs what.
The first net is that nobody logs what people wrote. This is the second one, for what slips through: fields
that are named like content are withheld, values that are not plain are replaced by their type, known
secrets and what looks like one are masked, and an exception is written as its type and its frames, because
its message may quote a person. Libraries are heard from WARNING on, whatever they set themselves:
`ANTHROPIC_LOG=debug` would print whole conversations.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from core.domain.errors import RejoinderError
from core.settings import LogFormat

MASK = "[withheld]"
_OURS = ("bots", "core", "storage", "rejoinder")
_CONTENT = re.compile(
    "answer|arguments|author|blocks|body|card|content|data|draft|headers|input|items|label|messages?|name|output|"
    "params|payload|prompt|query|said|system|text|title|token|url|values?|words"
)
_STRING_MAX_CHARS = 500  # a log line is a hint, not a place to store things
_LOOKS_SECRET = re.compile(
    r"""
    xox[a-z]-[\w-]+ | xapp-[\w-]+          # Slack
  | sk-ant-[\w-]+                          # Anthropic
  | [\w-]{23,28}\.[\w-]{6}\.[\w-]{27,}     # Discord: id, time, signature
  | eyJ[\w-]+\.[\w-]+\.[\w-]*              # JSON web tokens
  | (?i:(?<=bearer\ )|(?<=basic\ ))\S+     # an authorization header
  | (?i:(?<=code=)|(?<=token=)|(?<=key=)|(?<=secret=))[^\s&"',;]+
  | (?<![0-9A-Za-z-])[0-9A-HJKMNP-TV-Z]{4}(?:-[0-9A-HJKMNP-TV-Z]{4}){3}(?![0-9A-Za-z-])  # a resume code
    """,
    re.VERBOSE,
)


def set_up(form: LogFormat, secrets: Iterable[str] = (), stream: TextIO | None = None) -> None:
    """Send every log of this process to `stream` (standard error), through the net."""
    out = sys.stderr if stream is None else stream
    net: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _Redactor(secrets),
    ]
    structlog.configure(
        processors=[*net, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,  # a logger made at import must follow a later set_up
    )
    handler = logging.StreamHandler(out)
    handler.addFilter(_audible)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=net,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _renderer(form, coloured=out.isatty()),
            ],
            use_get_message=True,
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    logging.captureWarnings(capture=True)
    sys.excepthook = _crashed


def _crashed(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What nobody caught: the interpreter would print its message."""
    del kind, trace
    structlog.get_logger("rejoinder").critical("crashed; this is a fault of ours", exc_info=error)


def _audible(record: logging.LogRecord) -> bool:
    """Ours from INFO on, others from WARNING on; decided here because a library may lower its own level."""
    return record.levelno >= (logging.INFO if record.name.split(".")[0] in _OURS else logging.WARNING)


def _renderer(form: LogFormat, *, coloured: bool) -> Processor:
    if form is LogFormat.JSON:
        return structlog.processors.JSONRenderer(sort_keys=True, ensure_ascii=False)
    return structlog.dev.ConsoleRenderer(
        colors=coloured, pad_event_to=0, pad_level=False, exception_formatter=structlog.dev.plain_traceback
    )


class _Redactor:
    """The net. `secrets` are exact values; the longest are masked first, so that no tail is left over."""

    def __init__(self, secrets: Iterable[str]) -> None:
        known = sorted({secret for secret in secrets if secret}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, _logger: WrappedLogger, _method: str, line: EventDict) -> Mapping[str, object]:
        error = _error_of(line.pop("exc_info", None))
        line.pop("stack_info", None)
        safe = {key: self._safe(key, value) for key, value in line.items() if not key.startswith("_")}
        if error is not None:
            safe["exception"] = "\n".join(describe(error))
        return safe | {key: value for key, value in line.items() if key.startswith("_")}  # structlog's own

    def _safe(self, key: str, value: object) -> object:
        if value is None or isinstance(value, bool | int | float):
            return value
        if _CONTENT.fullmatch(key):
            return MASK
        if not isinstance(value, str):
            return f"<{type(value).__name__}>"
        text = value if self._known is None else self._known.sub(MASK, value)
        text = _LOOKS_SECRET.sub(MASK, text)
        return text if len(text) <= _STRING_MAX_CHARS else text[:_STRING_MAX_CHARS] + "..."


def _error_of(given: object) -> BaseException | None:
    """What `exc_info` stands for: an error, the triple of `sys.exc_info()`, or true for the current one."""
    if isinstance(given, BaseException):
        return given
    if isinstance(given, tuple) and len(given) > 1 and isinstance(given[1], BaseException):
        return given[1]
    return sys.exc_info()[1] if given else None


def describe(error: BaseException) -> Iterator[str]:
    """Lines that tell where an error came from, without a word that it quotes."""
    earlier = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if earlier is not None:
        yield from describe(earlier)
        yield "which led to"
    yield type(error).__name__ + _harmless(error)
    yield from _frames(error.__traceback__)
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from (f"  {line}" for line in describe(each))


def _harmless(error: BaseException) -> str:
    """What may be told of an error's message: our codes, the system's and the database's own words."""
    if isinstance(error, RejoinderError):
        return f": {error.code}"
    if isinstance(error, OSError) and error.strerror:
        return f": {error.strerror}"
    if type(error).__module__ == "sqlite3":
        return f": {error}"
    return ""


def _frames(trace: TracebackType | None) -> Iterator[str]:
    while trace is not None:
        code = trace.tb_frame.f_code
        yield f"  {code.co_filename}:{trace.tb_lineno} in {code.co_qualname}"
        trace = trace.tb_next
