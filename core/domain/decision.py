"""What the core is given and what it gives back: `decide(view, event, stamp) -> Decision`.

Knows: the bundle that a decision may look at. Must not know: how the store loads it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from core.domain.entities import Button, Card, EffectRow, Entity, Person, Session, Spend, Turn, Waiting


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The settings that rules depend on. Durations in milliseconds, money in millionths of a dollar."""

    debounce_ms: int = 600  # three quick messages are one turn
    model: str = "claude-sonnet-5-5"
    recall_budget_tokens: int = 30_000
    budget_person_day: int | None = None
    budget_workspace_day: int | None = None
    model_deadline_ms: int = 30 * 60_000
    platform_deadline_ms: int = 24 * 3_600_000
    language: str = "en"
    shared_threads: bool = False
    bot_name: str = "Rejoinder"


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A frozen bundle, loaded by event type; what an event does not need is None or empty."""

    policy: Policy = Policy()
    person: Person | None = None  # the acting person; a fresh value when never seen before
    newcomer: bool = False  # `person` is not stored yet, or under another name
    session: Session | None = None
    turn: Turn | None = None  # the turn that the event names, else the session's open turn
    running: Turn | None = None  # the session's open turn (OPEN or STOPPING), whatever the event names
    waiting: tuple[Waiting, ...] = ()  # of the session, oldest first
    open_effects: tuple[EffectRow, ...] = ()  # of the session: pending or started
    finishing: EffectRow | None = None  # the effect that this event is the outcome of
    card: Card | None = None  # the card that the event names; for a message or CaughtUp: the newest open mail-bag card
    spends: tuple[Spend, ...] = ()  # rows of the session owner's, the actor's and the workspace's accounts, today
    addressed_before: bool = False  # this person has a session in this very place


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    """No immediate answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Private:
    """An answer that only the acting person sees; never stored."""

    text: str
    buttons: tuple[Button, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FormField:
    """One input of a form."""

    id: str
    label: str
    max_chars: int = 400
    long: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A question with fields (a modal); submitting it presses `submit` with the fields as the value."""

    title: str
    submit: Button
    fields: tuple[FormField, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """A question with a list; choosing presses that button."""

    text: str
    options: tuple[Button, ...]


Reply = Nothing | Private | Form | Choices


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """`changes` are rows as they shall be (new effects among them); `reply` goes to the acting person at once."""

    changes: tuple[Entity, ...] = ()
    reply: Reply = field(default_factory=Nothing)
    received: int = 0  # accounting of person's messages: received = answered + queued + refused
    answered: int = 0
    queued: int = 0
    refused: int = 0
    stop: tuple[str, ...] = ()  # running effects to interrupt after the commit
