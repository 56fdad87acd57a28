"""Domain values <-> rows, driven by the dataclasses' own type hints: a new entity is a dataclass and a migration.

Knows: how a field's type is written in a column. Must not know: which value means what, or when it is written.

Columns are the fields. Enums become their value, `PersonKey`, `Place` and `SessionKey` their text form, bool an
integer, tuples, effects and outlines JSON text (core.codec); everything else is stored as it is.
A row that cannot be read raises `BadInput`.
"""

from __future__ import annotations

import dataclasses
import functools
import sqlite3
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from operator import attrgetter, itemgetter
from typing import Any, Generic, TypeVar

from core import codec
from core.domain import effects
from core.domain.effects import Effect
from core.domain.entities import (
    Binding,
    Card,
    Draft,
    EffectRow,
    FileCopy,
    Message,
    Part,
    Person,
    Session,
    Spend,
    Turn,
    Waiting,
)
from core.domain.errors import BadInput
from core.domain.keys import PersonKey, Place, SessionKey
from core.domain.leaving import Guesses, Link, MoveClaim, Preference, Summary, Ticket
from core.domain.outline import Outline
from core.domain.tasking import Step, Task
from core.domain.tooling import Credential, Login, Permit, Round, ToolCall, ToolList
from core.engine.ports import Post

E = TypeVar("E")
K = TypeVar("K", PersonKey, Place, SessionKey)
Scalar = str | int | float | None
S = TypeVar("S", bound=Scalar)
Row = Sequence[Any]  # as the driver gives it; typed again by `decode`
Convert = Callable[[Any], Any]

_KEY_CACHE = 16_384  # text forms of people and places that are in use at the same time
_EFFECT_CACHE = 4_096  # effects between their commit and their outcome: each is read two or three times
_EMPTY = "[]"


class Table(Generic[E]):
    """How one dataclass is written to one table.

    `key`: the columns that name a row. `fixed`: columns that never change once written, so that an update leaves
    their indexes alone. `rare`: columns with an index that hardly ever change; `update` meets only a row where they
    are the same and so leaves their indexes alone too, see `write`. `omit`: fields that are not columns. `extra`:
    columns computed from the value.
    """

    def __init__(
        self,
        kind: type[E],
        name: str,
        *,
        key: tuple[str, ...],
        fixed: tuple[str, ...] = (),
        rare: tuple[str, ...] = (),
        omit: tuple[str, ...] = (),
        extra: Mapping[str, Callable[[E], Scalar]] | None = None,
    ) -> None:
        hints = typing.get_type_hints(kind)
        fields = tuple(
            each.name
            for each in dataclasses.fields(kind)  # type: ignore[arg-type]  # E is always a dataclass
            if each.name not in omit
        )
        ways = [(at, field, *_ways(hints[field])) for at, field in enumerate(fields)]
        self.kind = kind
        self.name = name
        self.fields = fields
        self._extra = tuple((extra or {}).values())
        self._get = attrgetter(*fields)
        self._encoders = tuple((at, way) for at, _, way, _ in ways if way is not None)
        self._decoders = tuple((at, way) for at, _, _, way in ways if way is not None)
        self._setters = tuple([_setter(kind, field) for field in fields])
        self._omitted = tuple([(field, _setter(kind, field)) for field in omit])
        self.columns = (*fields, *(extra or {}))
        self.select = f"SELECT {', '.join(fields)} FROM {name}"
        marks = ", ".join("?" * len(self.columns))
        changing = [each for each in self.columns if each not in key and each not in fixed]
        self.insert = f"INSERT INTO {name} ({', '.join(self.columns)}) VALUES ({marks})"
        self.upsert = f"{self.insert} ON CONFLICT ({', '.join(key)}) DO UPDATE SET " + ", ".join(
            f"{each} = excluded.{each}" for each in changing
        )
        setting, meeting = [each for each in changing if each not in rare], (*key, *rare)
        self._update = (
            f"UPDATE {name} SET {', '.join(f'{each} = ?' for each in setting)}"
            f" WHERE {' AND '.join(f'{each} = ?' for each in meeting)}"
        )
        self._in_update = itemgetter(*[self.columns.index(each) for each in (*setting, *meeting)]) if rare else None

    def fields_of(self, alias: str) -> str:
        """The selected columns under a table alias, for a join."""
        return ", ".join(f"{alias}.{field}" for field in self.fields)

    def encode(self, value: E) -> list[Scalar]:
        """The row of a value, in the order of `columns`."""
        row: list[Scalar] = list(self._get(value))
        for at, way in self._encoders:
            row[at] = way(row[at])
        row.extend([compute(value) for compute in self._extra])
        return row

    def write(self, conn: sqlite3.Connection, value: E) -> None:
        """Put a row that is most often there already.

        `upsert` would write AUTOINCREMENT's counter and the indexes of all its columns each time, a page for each.
        """
        row = self.encode(value)
        if self._in_update is None or not put(conn, self._update, self._in_update(row)).rowcount:
            put(conn, self.upsert, row)

    def decode(self, row: Row, **omitted: object) -> E:
        """The value of a row selected with `select`. Raises `BadInput` for what cannot be read.

        The slots are set one by one: a frozen dataclass's own `__init__` does that by name, for twice the time.
        """
        values = list(row)
        value = object.__new__(self.kind)
        try:
            for at, way in self._decoders:
                values[at] = way(values[at])
            for field, omitted_setter in self._omitted:
                omitted_setter(value, omitted[field])
        except (KeyError, TypeError, ValueError) as error:
            raise BadInput(code="bad_row", detail=f"{self.name}: {error!r}") from error
        for setter, each in zip(self._setters, values, strict=True):
            setter(value, each)
        return value


def _setter(kind: type[Any], field: str) -> Callable[[Any, Any], None]:
    """What sets a field of a new value. Raises `TypeError` where making a value is more than setting its fields."""
    if hasattr(kind, "__post_init__"):
        raise TypeError(f"{kind.__name__} makes itself")
    set_slot: Callable[[Any, Any], None] = getattr(kind, field).__set__
    return set_slot


def _ways(hint: Any) -> tuple[Convert | None, Convert | None]:
    """How values of a type become a column, and back; None = as they are."""
    if hint in _KEYS:
        return _KEYS[hint]
    if isinstance(hint, type) and issubclass(hint, Enum):
        return attrgetter("value"), {each.value: each for each in hint}.__getitem__
    if hint is bool:
        return int, bool
    if typing.get_origin(hint) is tuple:
        return _encode_tuple, functools.partial(_decode_tuple, hint)
    if hint == Effect or dataclasses.is_dataclass(hint):
        texts = _Texts(hint)
        return texts.encode, texts.decode
    plain = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    if not set(plain) <= {str, int, float, type(None)}:
        raise TypeError(f"no column for {hint}")
    return None, None


@functools.lru_cache(_KEY_CACHE)
def _text_of(key: object) -> str:
    return str(key)


def _text_or_none(key: object) -> str | None:
    return None if key is None else _text_of(key)


@functools.lru_cache(_KEY_CACHE)
def _key_of(kind: type[K], text: str) -> K:
    return kind.parse(text)


def _or_none(way: Convert) -> Convert:
    return lambda value: None if value is None else way(value)


def _person_or_none(text: str | None) -> PersonKey | None:
    return None if text is None else _key_of(PersonKey, text)


class _Texts:
    """Values of one type as JSON text, each remembered under its text: what was written is read two or three times."""

    def __init__(self, hint: Any) -> None:
        self._hint = hint
        self._known: dict[str, Any] = {}

    def encode(self, value: Any) -> str:
        text = codec.dumps(value)
        self._remember(text, value)
        return text

    def decode(self, text: str) -> Any:
        known = self._known.get(text)
        return self._remember(text, codec.loads(self._hint, text)) if known is None else known

    def _remember(self, text: str, value: Any) -> Any:
        if len(self._known) >= _EFFECT_CACHE:
            self._known.clear()  # several threads are here: nothing finer than one step
        self._known[text] = value
        return value


_OUTLINES = _Texts(Outline)
_KEYS: Mapping[Any, tuple[Convert, Convert]] = {
    PersonKey: (_text_of, functools.partial(_key_of, PersonKey)),
    PersonKey | None: (_text_or_none, _person_or_none),
    Place: (_text_of, functools.partial(_key_of, Place)),
    SessionKey: (_text_of, functools.partial(_key_of, SessionKey)),
    Outline | None: (_or_none(_OUTLINES.encode), _or_none(_OUTLINES.decode)),
}


def _encode_tuple(value: tuple[object, ...]) -> str:
    return codec.dumps(value) if value else _EMPTY


def _decode_tuple(hint: Any, text: str) -> Any:
    return () if text == _EMPTY else codec.loads(hint, text)


def _turn_of(row: EffectRow) -> str:
    return getattr(row.effect, "turn_id", "")


def _last_of(guesses: Guesses) -> int:
    return max(guesses.times_ms, default=0)


def kind_of(row: EffectRow) -> str:
    """See `core.domain.effects.kind_of`."""
    return effects.kind_of(row.effect)


PERSON = Table(Person, "person", key=("key",))
SESSION = Table(Session, "session", key=("id",), fixed=("created_ms",), rare=("owner",))
BINDING = Table(Binding, "binding", key=("key",))
WAITING = Table(Waiting, "waiting", key=("id",), fixed=("session_id",))
TURN = Table(Turn, "turn", key=("id",), fixed=("session_id", "asker", "created_ms"))
PART = Table(Part, "part", key=("turn_id", "n"))
DRAFT = Table(Draft, "draft", key=("effect_id", "n"))
FILE_COPY = Table(FileCopy, "file_copy", key=("file_id",), fixed=("session_id",))
CARD = Table(Card, "card", key=("session_id", "key"), fixed=("created_ms",))
SPEND = Table(Spend, "spend", key=("account", "day"))
EFFECT = Table(
    EffectRow,
    "effect",
    key=("id",),
    fixed=("session_id", "created_ms"),
    extra={"kind": kind_of, "turn_id": _turn_of},
)
SUMMARY = Table(Summary, "summary", key=("id",), fixed=("session_id", "created_ms"))
TICKET = Table(Ticket, "ticket", key=("id",), fixed=("session_id", "issued_ms"))
CLAIM = Table(MoveClaim, "move_claim", key=("id",), fixed=("session_id", "ticket_id", "claimant", "created_ms"))
LINK = Table(Link, "link", key=("id",), fixed=("session_id", "account", "at_ms"))
PREFERENCE = Table(Preference, "preference", key=("identity",))
GUESSES = Table(Guesses, "guesses", key=("key",), extra={"last_ms": _last_of})
ROUND = Table(Round, "tool_round", key=("turn_id", "n"), fixed=("session_id",))
TOOL_CALL = Table(ToolCall, "tool_call", key=("id",), fixed=("turn_id", "session_id", "round", "n", "server"))
TOOL_LIST = Table(ToolList, "tool_list", key=("digest",))
PERMIT = Table(Permit, "permit", key=("session_id", "account", "server", "tool"))
CREDENTIAL = Table(Credential, "credential", key=("id",), fixed=("server", "created_ms"))
TASK = Table(Task, "task", key=("id",), fixed=("session_id", "asker", "created_ms"))
STEP = Table(Step, "step", key=("id",), fixed=("task_id", "session_id"))
LOGIN = Table(Login, "login", key=("id",), fixed=("session_id", "server"))
MESSAGE = Table(Message, "message", key=("id",), omit=("session_id", "seq"))
POST = Table(Post, "board_post", key=("id",), omit=("n",))
BOARD_FILE = Table(FileCopy, "board_file", key=("file_id",))


def put(conn: sqlite3.Connection, sql: str, row: Row) -> sqlite3.Cursor:
    """Execute with values that may hold halves of surrogate pairs, which no database can store as they are."""
    try:
        return conn.execute(sql, row)
    except UnicodeEncodeError:
        return conn.execute(sql, [clean(each) for each in row])


def clean(value: S) -> S:
    """The value with surrogate pairs joined and lone halves replaced by U+FFFD, as `put` stores it."""
    if not isinstance(value, str) or value.isascii():
        return value
    return typing.cast("S", value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace"))


SEQ_BITS = 24  # message.id = session.num << SEQ_BITS | seq: 16 million messages in a session
SEQ_MASK = (1 << SEQ_BITS) - 1
