"""What happened, past tense. An event names its subject, so that the store can load the view.

Knows: facts that came from a platform, a timer or a performer. Must not know: payload shapes.
`source_keys` are the idempotency keys of one delivery: any of them seen before = the event was seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from core.domain.entities import FileRef, Message, Part
from core.domain.keys import Audience, ButtonId, PersonKey, Place
from core.domain.leaving import Fact
from core.domain.tooling import Credential, ToolKind, ToolList, Wanted


class Address(StrEnum):
    """How a message relates to the bot (DESIGN section 3, threads with people in them)."""

    DIRECT = "direct"  # a DM, or a thread opened for this person: everything is for the bot
    MENTION = "mention"  # the bot was mentioned
    PLAIN = "plain"  # an unmentioned message in a thread with people in it
    OTHER = "other"  # starts with a mention of somebody else or replies to another human


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who did it, as the platform names them. `guest`: let into some places of the workspace only, as it knows now.

    `locale`: of this person's own client or account (`de`, `de-AT`); "" where the platform does not tell it.
    """

    key: PersonKey
    name: str
    guest: bool = False
    locale: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageReceived:
    """A person wrote something. `caught_up` = it was said while we were away."""

    source_keys: tuple[str, ...]
    author: Author
    place: Place
    text: str
    ref: str
    address: Address = Address.DIRECT
    files: tuple[FileRef, ...] = ()
    caught_up: bool = False
    audience: Audience = Audience.PUBLIC
    filled: bool = False  # humans have talked in this thread before the bot was addressed in it
    root: bool = False  # it begins a thread
    locale: str = ""  # of the server, where people have chosen one for it: a hint while its author's is not known


@dataclass(frozen=True, slots=True, kw_only=True)
class ButtonPressed:
    """A person pressed one of our buttons."""

    source_keys: tuple[str, ...]
    author: Author
    place: Place
    button: ButtonId
    value: str = ""
    audience: Audience = Audience.PUBLIC


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandIssued:
    """A person issued a command: `name` without the slash, `rest` is what followed it."""

    source_keys: tuple[str, ...]
    author: Author
    place: Place
    name: str
    rest: str = ""
    audience: Audience = Audience.PUBLIC
    unasked: bool = False  # nobody said it: a page that shows its answer was opened


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeAsked:
    """A person wants to go on here with a session: by a code (only its digest, never the code) or by its id."""

    source_keys: tuple[str, ...]
    author: Author
    place: Place
    audience: Audience = Audience.PUBLIC
    digest: str = ""  # of a typed code (`core.domain.codes.digest_of`); "" when `session_id` is given
    session_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of a model call and what it cost, in millionths of a US dollar."""

    tokens_in: int = 0
    tokens_out: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cost: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReplied:
    """The model finished. `text` is what this call said; `stop_reason` as the Messages API names it.

    `calls`: the tools that it asks for; `tools`: the list that it was shown, when that is not the session's pinned one.
    """

    turn_id: str
    text: str
    blocks: str
    prefix: str
    stop_reason: str
    model: str
    usage: Usage = Usage()
    calls: tuple[Wanted, ...] = ()
    tools: ToolList | None = None
    careful: tuple[str, ...] = ()  # for a plan: the tools that a person is asked for, by the names that the model knows


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCut:
    """The call ended early (crash, cut, silence, drain); `text` is what this call had said."""

    turn_id: str
    text: str
    code: str
    blameless: bool = False  # our own drain: no attempt is counted
    usage: Usage = Usage()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelStopped:
    """The call was ended because the person pressed Stop; `text` is what this call had said."""

    turn_id: str
    text: str
    usage: Usage = Usage()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelBusy:
    """The model could not be asked; nothing was spent. `retry_ms` None = our choice."""

    turn_id: str
    code: str
    retry_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRefused:
    """A definite no from the model's side: wrong key, unknown model, too long, spend limit ..."""

    turn_id: str
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryLost:
    """The stored conversation of a turn cannot be read; the originals stay.

    `messages`: the turn's own, from which it starts afresh; none when they are what cannot be read.
    """

    turn_id: str
    messages: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """The whole answer of a turn stands in its place."""

    turn_id: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CardShown:
    """A card stands in its place at `version`."""

    session_id: str
    card_key: str
    version: int
    ref: str
    place: str = ""  # where it stands (text form); the card may have moved along with its session meanwhile


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFetched:
    """An attachment was copied, or could not be (`problem`)."""

    session_id: str
    file_id: str
    media_type: str
    data: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectDone:
    """An effect without a result of its own is finished."""

    session_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectWaits:
    """Nothing happened (429, refused connection ...): it waits until `retry_ms`."""

    session_id: str
    code: str
    retry_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectStumbled:
    """It may have happened, or the process died while it was started: look first, then again."""

    session_id: str
    code: str
    blameless: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectRefused:
    """A definite no from the outside."""

    session_id: str
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerDue:
    """A session's timer rang."""

    source_keys: tuple[str, ...]
    session_id: str
    idle_epoch: int
    up_ms: int = 0  # how long the program has been up, over all its starts


@dataclass(frozen=True, slots=True, kw_only=True)
class CaughtUp:
    """A platform has told everything that was said while we were away; the session's held messages are complete."""

    session_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadRead:
    """What humans had said in the thread; `unreadable` when the platform does not let us read."""

    session_id: str
    turn_id: str
    heard: tuple[Message, ...] = ()  # role HEARD, seq 0: numbered when they are stored
    unreadable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Summarized:
    """A summary of the messages `from_seq..to_seq` was written and its facts checked against them."""

    session_id: str
    from_seq: int
    to_seq: int
    goal: str
    done: str
    last: str
    next: str
    facts: tuple[Fact, ...]
    by: str
    usage: Usage = Usage()


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageChanged:
    """A person changed a message of theirs, or took it back (`text` ""). Twice does no harm: no source keys."""

    place: Place
    ref: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolReturned:
    """A tool call is over. `content` is the JSON text of the `tool_result` content, already capped."""

    turn_id: str
    call_id: str
    content: str
    is_error: bool = False
    failure: str = ""  # stable code when the server was at fault (dead, hung, garbage ...)
    hidden: int = 0  # a search: conversations that match and must not be shown here


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalMissing:
    """A tool call was not made: by now its tool needs the person's word, and it has not been given."""

    turn_id: str
    call_id: str
    kind: ToolKind


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInNeeded:
    """A tool call could not be made: the asker has no usable login at its server."""

    turn_id: str
    call_id: str
    server: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A login ended at the callback page: with a credential (already sealed), or with `failure`.

    `known`: the browser is known to be the owner's, so it is their account.
    """

    source_keys: tuple[str, ...]
    login_id: str
    credential: Credential | None = None
    failure: str = ""
    known: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkStrayed:
    """Somebody else tried to use the link of a login: nothing has come of it."""

    source_keys: tuple[str, ...]
    login_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialDue:
    """A login that is used ends soon: time to renew it."""

    source_keys: tuple[str, ...]
    credential_id: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialReady:
    """A login was looked at, renewed or given back; `session_id` is a session that waits for it, "" for none."""

    session_id: str
    credential_id: str


Arrival = MessageReceived | ButtonPressed | CommandIssued | ResumeAsked
Outcome = (
    ModelReplied
    | ModelCut
    | ModelStopped
    | ModelBusy
    | ModelRefused
    | HistoryLost
    | Delivered
    | CardShown
    | FileFetched
    | ThreadRead
    | Summarized
    | ToolReturned
    | SignInNeeded
    | CredentialReady
    | ApprovalMissing
    | EffectDone
    | EffectWaits
    | EffectStumbled
    | EffectRefused
)
Event = Arrival | Outcome | TimerDue | CaughtUp | MessageChanged | SignedIn | LinkStrayed | CredentialDue
