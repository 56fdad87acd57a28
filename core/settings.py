"""Every setting: its name, type, default and meaning; DESIGN section 8 is the contract for the names.

Knows: what each value may be by itself. Must not know: where values come from, which ones contradict each
other (`core.configure`), what is done with them. In the environment a setting is called
`REJOINDER_DATA_DIR`, in the file `data_dir`; Slack's, Discord's and Anthropic's own names
(`SLACK_BOT_TOKEN`) have no prefix. The text below each field is its documentation: README takes its table
from here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import time, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, get_args
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from core.domain.decision import Policy
from core.domain.leaving import Notices
from core.domain.tooling import Auth
from core.domain.words import LANGUAGES
from core.tool_settings import ToolServer
from core.units import QuietHours, parse_dollars, parse_duration

PREFIX = "REJOINDER_"
_FOREIGN = ("slack_", "discord_", "anthropic_")  # names that others have made known, without our prefix
_KEY_CHARS = 32  # 128 bits even as hexadecimal digits
_TOKEN_CHARS = 16  # tried over the network only
_SQLITE = "sqlite:///"
_BUILTIN_TOKENS = 500  # what the built-in tools add to each call of the model
_TOOLS_TOKENS = 16_000  # ... and the most that tool servers do


class ThreadSessions(StrEnum):
    """Whose session a thread is."""

    PER_USER = "per_user"
    SHARED = "shared"


class DmSessions(StrEnum):
    """What a new root message in a direct conversation begins."""

    PER_THREAD = "per_thread"
    SINGLE = "single"


class IdleNotice(StrEnum):
    """Where the one idle notice goes."""

    THREAD = "thread"
    OFF = "off"


class LogFormat(StrEnum):
    """For a person at a terminal, or for a machine."""

    TEXT = "text"
    JSON = "json"


def _from_text(parse: Callable[[str], object]) -> BeforeValidator:
    """A text is parsed; a number of a TOML file is read as the text it stands for; what is parsed stays."""

    def read(value: object) -> object:
        plain = isinstance(value, str | int | float) and not isinstance(value, bool)
        return parse(str(value)) if plain else value

    return BeforeValidator(read)


def _items(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (item.strip() for item in text.split(","))))


def _name(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError("is not a name")
    return text.strip()


def _url(text: str) -> str:
    parts = urlsplit(text.strip())
    if parts.scheme not in ("http", "https", "ws", "wss") or not parts.hostname:
        raise ValueError("is not a full address")
    return text.strip().rstrip("/")


def _language(text: str) -> str:
    if text not in LANGUAGES:
        raise ValueError(f"is not one of {', '.join(LANGUAGES)}")
    return text


def _long_enough(least_chars: int) -> AfterValidator:
    def check(secret: SecretStr) -> SecretStr:
        if len(secret.get_secret_value()) < least_chars:
            raise ValueError(f"is shorter than {least_chars} characters")
        return secret

    return AfterValidator(check)


def _one_line(secret: SecretStr) -> SecretStr:
    """A key as it goes into a request's header; blank space around it is a slip of copying."""
    text = secret.get_secret_value().strip()
    if not all("!" <= each <= "~" for each in text):
        raise ValueError("holds a line break, a blank or a letter that no key has")
    return SecretStr(text)


def _each_long_enough(secret: SecretStr) -> SecretStr:
    keys = _items(secret.get_secret_value())
    if not keys or any(len(each) < _KEY_CHARS for each in keys):
        raise ValueError(f"is shorter than {_KEY_CHARS} characters, or one of its keys between commas is")
    return secret


def _database(text: str) -> Path:
    if text.startswith(("postgres:", "postgresql:")):
        raise ValueError("names PostgreSQL, which this release cannot use yet")
    path = text.removeprefix(_SQLITE)
    if path in (text, ""):
        raise ValueError("is not a SQLite file")
    return Path(path)


Switch = Annotated[bool, Field(examples=["on"])]
Duration = Annotated[timedelta, _from_text(parse_duration), Field(examples=["30m"])]
Dollars = Annotated[int, _from_text(parse_dollars), Field(examples=["5.00"])]
Items = Annotated[tuple[str, ...], NoDecode, _from_text(_items), Field(examples=["T012AB,T034CD"])]
Name = Annotated[str, _from_text(_name)]
Url = Annotated[str, _from_text(_url), Field(examples=["https://bot.example.com"])]
Quiet = Annotated[QuietHours, NoDecode, _from_text(QuietHours.parse), Field(examples=["22:00-07:00"])]
Database = Annotated[Path, _from_text(_database), Field(examples=["sqlite:///data/rejoinder.db"])]
Tools = Annotated[Mapping[str, ToolServer], NoDecode]
Language = Annotated[str, _from_text(_language), Field(examples=["en"])]
Credential = Annotated[SecretStr, AfterValidator(_one_line)]
Key = Annotated[
    SecretStr, _long_enough(_KEY_CHARS), AfterValidator(_each_long_enough), Field(examples=["$(openssl rand -hex 32)"])
]
Token = Annotated[SecretStr, _long_enough(_TOKEN_CHARS), Field(examples=["$(openssl rand -hex 16)"])]


class Settings(BaseSettings):
    """What an operator can choose. Money is in millionths of a US dollar, durations are `timedelta`."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    slack_bot_token: Credential | None = None
    """Slack: the bot token, `xoxb-...`."""
    slack_app_token: Credential | None = None
    """Slack over Socket Mode: the app token, `xapp-...`."""
    slack_signing_secret: Credential | None = None
    """Slack over HTTP instead: the signing secret."""
    slack_client_id: Name | None = None
    """Slack: the app's client id; with the secret, Slack confirms whose browser opens a sign-in link."""
    slack_client_secret: Credential | None = None
    """Slack: the app's client secret."""
    slack_authorize_url: Url | None = None
    """Another page of Sign in with Slack, for tests."""
    slack_api_url: Url | None = None
    """Another Slack Web API, for tests."""
    discord_token: Credential | None = None
    """Discord: the bot token."""
    discord_client_secret: Credential | None = None
    """Discord: the application's client secret; with it, Discord confirms whose browser opens a sign-in link."""
    discord_authorize_url: Url | None = None
    """Another page of Discord's OAuth2, for tests."""
    discord_api_url: Url | None = None
    """Another Discord API, for tests."""
    discord_gateway_url: Url | None = None
    """Another Discord gateway, for tests."""
    anthropic_api_key: Credential | None = None
    """Claude answers with it; without it the offline demo model does."""
    anthropic_base_url: Url | None = None
    """Another server that speaks the Messages API."""

    data_dir: Path = Path("data")
    """Conversations, keys, lock and socket."""
    database_url: Database | None = None
    """The database, if not `rejoinder.db` in the data directory: `sqlite:///path`."""
    secret_key: Key | None = None
    """Seals logins and backups; without it a key file is made in the data directory. To change it: `new,old`."""
    http_host: Name = "127.0.0.1"
    """Where the web chat, health and metrics listen."""
    http_port: Annotated[int, Field(ge=0, le=65535, examples=["8080"])] = 8080
    """The port; 0 takes any that is free."""
    public_url: Url | None = None
    """The address under which people and Slack reach us from elsewhere."""

    model: Name = "claude-sonnet-5-5"
    """The model that answers."""
    summary_model: Name = "claude-haiku-5-5"
    """The model that sums up."""
    recall_budget: Annotated[int, Field(ge=1_000, le=1_000_000, examples=["30000"])] = 30_000
    """History of up to this many tokens is sent whole."""
    budget_person_day: Dollars | None = None
    """US dollars that one person may spend a day."""
    budget_workspace_day: Dollars | None = None
    """US dollars that one workspace may spend a day."""

    idle_warning: Duration = timedelta(minutes=30)
    """Idle time until the one notice."""
    idle_park: Duration = timedelta(minutes=60)
    """Idle time until the session is parked."""
    session_ttl: Duration = timedelta(hours=24)
    """Idle time until the summary is sent instead of the full history."""
    code_ttl: Duration = timedelta(hours=48)
    """How long a resume code works."""
    retention: Duration | None = None
    """Delete this long after the last human act, announced before; without it nothing is deleted by age."""
    idle_notice: IdleNotice = IdleNotice.THREAD
    """Where the notice goes: `thread` or `off`."""
    idle_min_exchanges: Annotated[int, Field(ge=0, le=1_000, examples=["2"])] | None = None
    """Answers before a notice is worth it; without it 1 alone with the bot, 2 among people."""
    quiet_hours: Quiet | None = None
    """No notice in this span of the day (UTC), `22:00-07:00`."""
    catch_up_age: Duration = timedelta(hours=6)
    """After downtime, older messages are not answered by themselves."""

    thread_sessions: ThreadSessions = ThreadSessions.PER_USER
    """In a thread: `per_user`, or one session `shared` by all."""
    dm_sessions: DmSessions = DmSessions.PER_THREAD
    """In a direct conversation: `per_thread`, or a `single` one."""
    allow_workspaces: Items = ()
    """Serve only these, by id, separated by commas; empty serves all. `@me`: Discord's direct conversations."""
    allow_channels: Items = ()
    """Serve only these channels, by id; `dm` lets direct conversations in, too."""
    allow_people: Items = ()
    """Serve only these people, by id."""
    language: Language = "en"
    """The language of our own words, `en` or `de`, to people whose platform does not tell us one of these as theirs."""

    log_format: LogFormat = LogFormat.TEXT
    """`text` for people, `json` for machines."""
    local_chat: Switch | None = None
    """The built-in web chat; without this setting it is on when no platform is configured."""
    local_chat_token: Token | None = None
    """Opens the web chat and `/metrics` to requests that do not come from this machine."""
    tools: Annotated[Tools, Field(repr=False)] = {}
    """Tables `[tools.NAME]` of the file: MCP servers."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is given: `core.configure` reads the sources, so that every problem is found at once."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)

    @property
    def database(self) -> Path:
        """The database file."""
        return self.database_url or self.data_dir / "rejoinder.db"

    @property
    def platforms(self) -> tuple[str, ...]:
        """The platforms whose token is set, by name."""
        given = {"slack": self.slack_bot_token, "discord": self.discord_token}
        return tuple(name for name, token in given.items() if token is not None)

    @property
    def proofs(self) -> tuple[str, ...]:
        """The platforms that confirm whose browser opens a sign-in link, by name."""
        given = {"slack": self.slack_client_secret, "discord": self.discord_client_secret}
        return tuple(name for name in self.platforms if given[name] is not None)

    @property
    def local_chat_on(self) -> bool:
        """Whether the built-in web chat is served: as set, else when no platform is configured."""
        return not self.platforms if self.local_chat is None else self.local_chat

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every secret that is set; for the log's second net only."""
        values: Iterable[object] = (getattr(self, name) for name in type(self).model_fields)
        own = (value.get_secret_value() for value in values if isinstance(value, SecretStr))
        return (*own, *(secret for server in self.tools.values() for secret in server.secrets))

    @property
    def _vendor(self) -> str:
        """Who gets what the model gets; "" for the demo model, which is on this machine."""
        if self.anthropic_api_key is None:
            return ""
        if self.anthropic_base_url is None:
            return "Anthropic"
        return urlsplit(self.anthropic_base_url).hostname or self.anthropic_base_url

    def to_policy(self) -> Policy:
        """What the rules of the core depend on."""
        quiet = self.quiet_hours
        return Policy(
            model=self.model,
            summary_model=self.summary_model,
            model_vendor=self._vendor,
            idle_warning_ms=_ms(self.idle_warning),
            idle_park_ms=_ms(self.idle_park),
            session_ttl_ms=_ms(self.session_ttl),
            code_ttl_ms=_ms(self.code_ttl),
            retention_ms=None if self.retention is None else _ms(self.retention),
            idle_notice=Notices(self.idle_notice.value),
            idle_min_exchanges=self.idle_min_exchanges,
            quiet_hours=None if quiet is None else (_minute(quiet.start), _minute(quiet.end)),
            single_dm=self.dm_sessions is DmSessions.SINGLE,
            recall_budget_tokens=self.recall_budget,
            budget_person_day=self.budget_person_day,
            budget_workspace_day=self.budget_workspace_day,
            language=self.language,
            shared_threads=self.thread_sessions is ThreadSessions.SHARED,
            allow_workspaces=self.allow_workspaces,
            allow_channels=self.allow_channels,
            allow_people=self.allow_people,
            tool_servers=tuple(self.tools),
            login_servers=tuple(name for name, each in self.tools.items() if each.auth is Auth.OAUTH),
            tool_list_tokens=_TOOLS_TOKENS if self.tools else _BUILTIN_TOKENS,
        )


def _ms(duration: timedelta) -> int:
    return duration // timedelta(milliseconds=1)


def _minute(at: time) -> int:
    return at.hour * 60 + at.minute


def environment_name(field: str) -> str:
    """The name of a field in the environment."""
    return field.upper() if field.startswith(_FOREIGN) else PREFIX + field.upper()


def example(field: str) -> str:
    """A value that the field takes: its type's own example, else its default."""
    info = Settings.model_fields[field]
    found = info.examples or [
        each.examples[0]
        for kind in get_args(info.annotation)
        for each in getattr(kind, "__metadata__", ())
        if isinstance(each, FieldInfo) and each.examples
    ]
    return str(found[0] if found else info.default)
