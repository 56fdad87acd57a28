"""What is stored of tools, of the right to use them, and of logins: one frozen value per row.

Knows: the shape and the meaning of every field. Must not know: MCP, OAuth, SQL; no secret in plain text stands here.
Texts of people and of tools stand only in `Round.text`, `Round.blocks`, `ToolCall.input` and `ToolCall.result`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from core.domain.keys import PersonKey


class CallState(StrEnum):
    """How far a tool call is. Only `PENDING` has an open effect; the last four are over."""

    ASKING = "asking"  # waits for the person's [Approve]
    PENDING = "pending"  # a CallTool effect is open
    SIGN_IN = "sign_in"  # waits for a login
    UNKNOWN = "unknown"  # may have happened: the person says what is to be done
    DONE = "done"
    FAILED = "failed"
    DENIED = "denied"
    SKIPPED = "skipped"


class Auth(StrEnum):
    """How a tool server knows who calls."""

    NONE = "none"
    TOKEN = "token"  # noqa: S105 -- a kind; one token of the operator's for everybody
    OAUTH = "oauth"  # each person's own login
    CLIENT_CREDENTIALS = "client_credentials"  # the program's own login


class ToolKind(StrEnum):
    """What a tool does to the world, as its server says or as the operator has decided."""

    READ = "read"  # changes nothing: runs without being asked, and again after a crash
    IDEMPOTENT = "idempotent"  # twice is once: asked for, and again after a crash
    WRITE = "write"
    DESTRUCTIVE = "destructive"

    @property
    def asks(self) -> bool:
        """Whether the person is asked before it runs."""
        return self is not ToolKind.READ

    @property
    def repeatable(self) -> bool:
        """Whether doing it once more does no harm."""
        return self in (ToolKind.READ, ToolKind.IDEMPOTENT)


NUDGING = "nudging"  # activity of a turn whose model has said nothing to what its tools gave: it is asked for words
OVER = frozenset({CallState.DONE, CallState.FAILED, CallState.DENIED, CallState.SKIPPED})
FOR_PERSON = frozenset({CallState.ASKING, CallState.SIGN_IN, CallState.UNKNOWN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A call that the model asks for, as its reply says. `kind` None: there is no such tool (any more)."""

    use_id: str
    name: str  # as the model calls it
    server: str
    tool: str
    input: str  # JSON text
    kind: ToolKind | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One model call of a turn that asked for tools: what it said and its blocks verbatim, `tool_use` among them.

    Its results are the turn's `ToolCall` rows of the same `n`; the request that follows is composed from both, so a
    history never holds a `tool_use` without its `tool_result`.
    """

    turn_id: str
    n: int  # 0, 1, 2 ... within the turn
    session_id: str
    text: str
    blocks: str
    prefix: str  # as in `Message`
    tokens: int = 0  # estimated, without the results


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """One call that the model asked for. It runs with the rights of `asker`, whoever owns the session."""

    id: str  # ULID, the subject of its buttons
    turn_id: str
    session_id: str
    round: int
    n: int  # order within the round
    use_id: str  # the model's id of the `tool_use` block
    server: str  # name of the `[tools.NAME]` table, "" for built-in
    tool: str  # the tool's name at its server
    input: str  # JSON text
    asker: PersonKey
    created_ms: int
    kind: ToolKind = ToolKind.WRITE  # as it was when the model asked for it
    state: CallState = CallState.PENDING
    approved: bool = False  # the person pressed [Approve] for this very call
    result: str = ""  # JSON text of the `tool_result` content, when it is over
    is_error: bool = False
    tokens: int = 0  # estimated, of the result
    failure: str = ""  # stable code when FAILED
    hidden: int = 0  # a search: conversations that match and must not be shown in this place

    @property
    def over(self) -> bool:
        """Whether nothing more becomes of it."""
        return self.state in OVER


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolList:
    """The tools of a request, pinned per session by digest so that a changed server does not break a history."""

    digest: str
    tools: str  # JSON text, as sent to the model


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """[Always here]: this person lets this tool run in this session without being asked again."""

    session_id: str
    account: PersonKey
    server: str
    tool: str
    at_ms: int


class CredentialStatus(StrEnum):
    """Whether a login can be used."""

    OK = "ok"
    NEEDS_LOGIN = "needs_login"
    HELD = "held"  # perhaps somebody else's account: not used before its owner says that it is theirs
    ENDING = "ending"  # disconnected: not used any more; revoked at the server, then deleted


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A person's login at a tool server, or the program's own (owner "").

    One at a time for each owner and server; what is held or being ended stands beside it.

    The tokens are in `sealed` only; owner, server and key id are bound to it.
    """

    id: str
    owner: str  # identity
    server: str
    sealed: str  # base64 of the sealed secret (access and refresh token, client secret)
    status: CredentialStatus = CredentialStatus.OK
    version: int = 1  # grows with every save: compare-and-swap
    expires_ms: int | None = None  # of the access token; None: not known
    renewable: bool = False  # a refresh token is there, or the program can ask anew for itself
    scopes: str = ""
    account: str = ""  # who it is at the server, as the server says; shown to the owner
    issuer: str = ""
    created_ms: int = 0
    updated_ms: int = 0
    used_ms: int = 0  # about when it was last used


class LoginState(StrEnum):
    """How far a login is. `OPEN` or `HELD` while something waits for it."""

    OPEN = "open"
    HELD = "held"  # it brought an account that its owner has not said to be theirs
    DONE = "done"
    CANCELLED = "cancelled"  # the person moved on, or disconnected


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A question to one person: sign in at one server. Its card is `login:<id>`, in every session that waits for it.

    Each [Sign in] makes a new one-time link, which is kept as a digest only and belongs to the first browser that
    opens it. `sealed`: what the browser has to bring back, and how to use it, while it is away.
    """

    id: str  # ULID; the subject of the card's buttons
    owner: str  # identity that will hold it
    asker: PersonKey
    session_id: str  # where it was asked first
    server: str
    created_ms: int
    state: LoginState = LoginState.OPEN
    link: str = ""  # digest of the newest link, "" = none or used up
    expires_ms: int = 0  # of that link
    browser: str = ""  # digest of the cookie of the browser that opened it
    sealed: str = ""
    credential_id: str = ""  # what it brought
    failure: str = ""  # stable code of the last try that went wrong
