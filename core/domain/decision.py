"""What the core is given and what it gives back: `decide(view, event, stamp) -> Decision`.

Knows: the bundle that a decision may look at. Must not know: how the store loads it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from core.domain.entities import (
    Button,
    Card,
    EffectRow,
    Entity,
    Level,
    Message,
    Person,
    Phase,
    Role,
    Session,
    Spend,
    Turn,
    Waiting,
)
from core.domain.keys import Audience, PersonKey, SessionKey
from core.domain.leaving import Guesses, Link, MoveClaim, Notices, Preference, Summary, Ticket
from core.domain.tasking import Work
from core.domain.tooling import Credential, Login, Permit, ToolCall


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
    idle_warning_ms: int = 30 * 60_000
    idle_park_ms: int = 60 * 60_000
    session_ttl_ms: int = 24 * 3_600_000
    code_ttl_ms: int = 48 * 3_600_000
    retention_ms: int | None = None
    idle_notice: Notices = Notices.THREAD  # the operator's choice; a person may narrow it
    idle_min_exchanges: int | None = None  # None: 1 in DMs and threads opened for the bot, 2 where others talk
    quiet_hours: tuple[int, int] | None = None  # minutes of the UTC day, from and until
    summary_model: str = "claude-haiku-5-5"
    single_dm: bool = False
    shared_threads: bool = False
    allow_workspaces: tuple[str, ...] = ()  # whom the bot serves, and where; empty = everybody (`rules.allowed`)
    allow_channels: tuple[str, ...] = ()
    allow_people: tuple[str, ...] = ()
    bot_name: str = "Rejoinder"
    login_servers: tuple[str, ...] = ()  # tool servers at which each person signs in
    model_vendor: str = "Anthropic"  # who gets the words that the model gets; "" = they stay on this machine
    tool_servers: tuple[str, ...] = ()  # names of the tool servers; they get what the model passes to their tools
    tool_list_tokens: int = 0  # what the description of all tools adds to a model call at most


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """The size of one of the last messages, without its words."""

    seq: int
    role: Role
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One of a person's sessions as a list shows it. `last_words` are the beginning of its last message."""

    session_id: str
    title: str
    phase: Phase
    home: SessionKey
    audience: Audience
    last_human_ms: int
    last_words: str
    level: Level
    waits_for_you: bool  # an open card of ours asks something there


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """What a linked account has of one of the owner's sessions.

    `keys`: places of that account that are bound to the session. `earlier`: where else it lived; None: nowhere.
    """

    session: Session
    keys: tuple[SessionKey, ...]
    earlier: SessionKey | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Altered:
    """A place where we hold a message that its author has changed: in a history, or waiting."""

    session: Session
    message: Message | None = None
    waiting: Waiting | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One of a person's conversations that a search has found; `words` are the places that match, best first."""

    session_id: str
    title: str
    home: SessionKey
    audience: Audience
    last_human_ms: int
    words: tuple[str, ...]


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
    card: Card | None = None  # the card that the event names; for a message or CaughtUp: the newest open mail-bag card,
    # or the newest card that says where the session has moved to when it is said at a place that it has left
    spends: tuple[Spend, ...] = ()  # rows of the session owner's, the actor's and the workspace's accounts, today
    notice: Card | None = None  # the session's newest idle card
    announcement: Card | None = None  # that the session will be deleted by age, while that stands
    ticket: Ticket | None = None  # found by the digest of a typed code; a claim's own; else the live one of the notice
    summary: Summary | None = None  # the session's newest
    tail: tuple[Tail, ...] = ()  # the session's last messages (at most 24), oldest first
    preference: Preference | None = None  # of the session's owner, for people's own commands of the actor
    claim: MoveClaim | None = None  # the claim that a button names
    claimant: Person | None = None  # ... and who made it, as they are known now
    claims: tuple[MoveClaim, ...] = ()  # open ones of the session, and every one of the actor's for it
    link: Link | None = None  # the link that a button names
    pulled: tuple[Pulled, ...] = ()  # for the undoing of that link: the owner's sessions that the account has
    accounts: tuple[PersonKey, ...] = ()  # of the acting person's identity, this one included
    cards: tuple[Card, ...] = ()  # of the session, with buttons: what a move takes along
    guesses: tuple[Guesses, ...] = ()  # of the actor's account and of the channel; from outside: whether it was told
    there: Session | None = None  # another living session at the place that the event would move to
    there_running: bool = False  # ... and has an open turn
    offer: Card | None = None  # ... and asks whether the session shall go on there
    neighbour_noticed: bool = False  # another session's notice stands in the same thread in this idle period
    mine: tuple[Line, ...] = ()  # the actor's sessions everywhere, for /sessions, /resume and "Continue here?"
    addressed_before: bool = False  # this person has a session in this very place
    spoke: bool = False  # the acting person said something in the session, which belongs to a whole thread
    settled: bool = False  # the acting person has conversations of their own
    work: Work | None = None  # the task that a button or the event's turn names
    works: tuple[Work, ...] = ()  # for what people and timers do: the session's tasks that are not over, oldest first
    task_cards: tuple[Card, ...] = ()  # of `work`, else of `works`
    task_turns: tuple[Turn, ...] = ()  # of them: the open ones, and the newest of each step that is not over
    busy_tasks: int = 0  # how many tasks go on for the acting person (or `asker`), everywhere
    asker: Person | None = None  # whose tool call it is that begins a task
    altered: tuple[Altered, ...] = ()  # where we hold the message that was changed, at most 1,000 messages back
    login: Login | None = None  # the question to sign in that the event names
    caller: str = ""  # identity of whoever's login the event is about
    logins: tuple[Login, ...] = ()  # of the caller, the newest for each server first
    login_cards: tuple[Card, ...] = ()  # of these logins, in every session
    sign_in_calls: tuple[ToolCall, ...] = ()  # of the caller, waiting for these logins, in every session
    credential: Credential | None = None  # that the event names, or that is there for the login's server
    held: tuple[Credential, ...] = ()  # of the caller, or of the acting person: not used before they say so
    shared: bool = False  # the account that was signed in with is another person's login here already
    credentials: tuple[Credential, ...] = ()  # of the caller, or of the acting person
    return_cards: tuple[Card, ...] = ()  # of the session's last return, when a login that was told there was looked at
    used_servers: tuple[str, ...] = ()  # whose tools the session has used with a person's login, for a return
    calls: tuple[ToolCall, ...] = ()  # of `turn`, all its rounds, in order
    call: ToolCall | None = None  # the call that the event names, by its id or its button
    permits: tuple[Permit, ...] = ()  # of the session, for a reply that asks for tools
    spoken: str = ""  # the acting person's language, "" when it is not known or not one of ours (`rules.tongue`)
    hinted: str = ""  # ... and the one of the server where they write
    native: str = ""  # the session owner's, for cards that others cause; "" = as the policy says
    found: tuple[Found, ...] = ()  # what the search that a button names finds for the acting person


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    """No immediate answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Private:
    """An answer that only the acting person sees; never stored.

    `export`: the identity whose everything the platform hands over with it, as files that only this person gets.
    """

    text: str
    buttons: tuple[Button, ...] = ()
    export: str = ""


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
    received: int = 0  # how many messages of people this took in; where they went is counted, see `rules.account`
    turned_away: int = 0  # ... and how many of them came from outside of whom we serve: nothing of them is stored
    stop: tuple[str, ...] = ()  # running effects to interrupt after the commit
    titled: tuple[str, ...] = ()  # sessions of `changes` whose title is another one than before, or lives elsewhere
