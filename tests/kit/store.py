"""Values for tests of a store: people, places, events, and decisions that do exactly what a test says.

Knows: the shapes of core.domain. Must not know: which store is tested, or the rules of the product.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from core.domain.decision import Decision, Policy, View
from core.domain.effects import AskModel, Deliver, Effect
from core.domain.entities import (
    Binding,
    Card,
    EffectRow,
    Entity,
    Message,
    Person,
    Role,
    Session,
    Turn,
)
from core.domain.events import Author, ButtonPressed, EffectDone, Event, MessageReceived, ModelReplied
from core.domain.keys import ButtonId, PersonKey, Place, SessionKey
from core.domain.stamp import Stamp
from core.engine.ports import Accepted, Decide, Store

NOW_MS = 1_764_000_000_000  # 2025-11-24 16:00 UTC
DAY = "2025-11-24"
ANN = PersonKey(platform="local", workspace="home", user="ann")
BOB = PersonKey(platform="local", workspace="home", user="bob")
PLACE = Place(platform="local", workspace="home", channel="general", thread="t1")


def stamp(name: str = "seed", now_ms: int = NOW_MS) -> Stamp:
    """A moment and its chance; another name is other chance."""
    return Stamp(now_ms=now_ms, seed=name)


def said(
    text: str = "hello", *keys: str, person: PersonKey = ANN, place: Place = PLACE, name: str = ""
) -> MessageReceived:
    """`person` says something; `keys` are the source keys, the text itself if none are given."""
    author = Author(key=person, name=name or person.user.capitalize())
    return MessageReceived(source_keys=keys or (f"local:{text}",), author=author, place=place, text=text, ref=text)


def pressed(subject: str, *, person: PersonKey = ANN, place: Place = PLACE) -> ButtonPressed:
    """`person` presses a button about `subject`."""
    author = Author(key=person, name=person.user.capitalize())
    button = ButtonId(verb="stop", subject=subject)
    return ButtonPressed(source_keys=(f"press:{subject}",), author=author, place=place, button=button)


def replied(turn_id: str, text: str = "an answer") -> ModelReplied:
    """The model's answer to a turn."""
    return ModelReplied(turn_id=turn_id, text=text, blocks="", prefix="", stop_reason="end_turn", model="m")


def done(session_id: str = "s1") -> EffectDone:
    """Some effect of a session is finished."""
    return EffectDone(session_id=session_id)


class Script:
    """A `decide` that makes these changes, and keeps the views that it was shown."""

    def __init__(self, *changes: Entity) -> None:
        self.changes = changes
        self.views: list[View] = []

    def __call__(self, view: View, event: Event, stamp: Stamp) -> Decision:
        """See `core.engine.ports.Decide`."""
        self.views.append(view)
        return Decision(changes=self.changes)

    @property
    def view(self) -> View:
        """The one view that was shown."""
        assert len(self.views) == 1, f"decided {len(self.views)} times"
        return self.views[0]


def session(session_id: str = "s1", *, user: str = "ann", place: Place = PLACE, owner: str = "") -> Session:
    """A session of `user` in `place`."""
    return Session(
        id=session_id, owner=owner or f"id-{user}", home=SessionKey.at(place, user), created_ms=NOW_MS, next_seq=1
    )


def bound(row: Session) -> tuple[Session, Binding, Person]:
    """A session, bound where it is at home, and its owner."""
    user = row.home.user or "ann"
    key = PersonKey(platform=row.home.platform, workspace=row.home.workspace, user=user)
    person = Person(key=key, identity=row.owner, name=user.capitalize())
    return row, Binding(key=row.home, session_id=row.id), person


def message(seq: int, text: str = "words", *, session_id: str = "s1", **more: object) -> Message:
    """A stored message of a person; `more` are its other fields."""
    plain = Message(session_id=session_id, seq=seq, role=Role.USER, text=text, created_ms=NOW_MS, tokens=10)
    return replace(plain, **more)  # type: ignore[arg-type]


def turn(turn_id: str = "t1", *, session_id: str = "s1", first: int = 1, last: int = 1, **more: object) -> Turn:
    """An open turn; `more` are its other fields."""
    plain = Turn(
        id=turn_id,
        session_id=session_id,
        asker=ANN,
        place=PLACE,
        reply_to="r",
        created_ms=NOW_MS,
        first_seq=first,
        last_seq=last,
    )
    return replace(plain, **more)  # type: ignore[arg-type]


def effect(effect_id: str = "e1", what: Effect | None = None, *, session_id: str = "s1", **more: object) -> EffectRow:
    """A pending effect, a model call for turn t1 unless `what` says otherwise; `more` are its other fields."""
    plain = EffectRow(id=effect_id, session_id=session_id, effect=what or AskModel(turn_id="t1"), created_ms=NOW_MS)
    return replace(plain, **more)  # type: ignore[arg-type]


def card(key: str = "mailbag:1", *, session_id: str = "s1", **more: object) -> Card:
    """A card; `more` are its other fields."""
    plain = Card(id=f"card-{key}", session_id=session_id, key=key, place=PLACE, text="a card", created_ms=NOW_MS)
    return replace(plain, **more)  # type: ignore[arg-type]


def answering() -> Sequence[Entity]:
    """A session with one open turn, its model call e1 and its delivery e2."""
    return (
        *bound(replace(session(), next_seq=2)),
        message(1, turn_id="t1"),
        turn(),
        effect("e1"),
        effect("e2", Deliver(turn_id="t1")),
    )


ROOM = {"AskModel": 9, "Deliver": 9, "ShowCard": 9, "FetchFile": 9, "Mark": 9}


async def accept(
    store: Store, event: Event, decide: Decide, *, now_ms: int = NOW_MS, boot: str = "b1", **more: object
) -> Accepted:
    """Let the store accept an event under the default policy; `more` are the other arguments of `Store.accept`."""
    return await store.accept(event, stamp(now_ms=now_ms), decide, policy=Policy(), boot=boot, **more)  # type: ignore[arg-type]


async def given(store: Store, *rows: Entity, now_ms: int = NOW_MS) -> None:
    """Bring rows into the store by way of a decision about an unheard-of session."""
    await accept(store, done("nobody"), Script(*rows), now_ms=now_ms)


async def started(store: Store, boot: str = "b1", now_ms: int = NOW_MS, **room: int) -> list[str]:
    """Claim what is ready; the ids."""
    return [row.id for row in await store.claim(boot=boot, now_ms=now_ms, room=room or ROOM)]
