"""Before we listen: do the tokens work, and what is missing?

Knows: a wrong app token would be tried for ever by the SDK, so it is tried once here; Slack names the granted scopes
in a header. Must not know: what happens next.
"""

from __future__ import annotations

from dataclasses import dataclass

from bots.slack import surface
from bots.slack.identity import Identity
from bots.slack.sender import Sender
from core.domain.errors import Ambiguous, Fault, NotSent, Refused
from core.engine.ports import Clock
from core.settings import Settings

_BOT_FIX = "SLACK_BOT_TOKEN is not accepted ({code}): copy the Bot User OAuth Token anew from the app's settings"
_APP_FIX = "SLACK_APP_TOKEN is not accepted ({code}): make an app-level token with the scope connections:write"
_WRONG = frozenset(
    ["invalid_auth", "not_authed", "not_allowed_token_type", "token_revoked", "account_inactive", "token_expired"]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What Slack says of us. `missing`: scopes of the manifest that the workspace has not granted."""

    team: str
    bot: str
    missing: tuple[str, ...]


async def check(sender: Sender, identity: Identity, app_token: str = "") -> Checked:
    """Ask Slack. Raises `Refused` for a token that does not work, `NotSent` when Slack cannot be asked."""
    try:
        me = await identity.get()
    except Ambiguous as error:
        raise NotSent(code=error.code, detail=error.detail) from error
    except NotSent as error:
        code = error.code.removeprefix("slack_")
        if code in _WRONG:
            raise _refused("slack_bot_token", _BOT_FIX.format(code=code)) from error
        raise
    except Refused as error:
        raise _refused("slack_bot_token", _BOT_FIX.format(code=error.code)) from error
    if app_token:
        await _check_app_token(sender, app_token)
    granted = sender.scopes
    missing = tuple(sorted(set(surface.SCOPES) - granted)) if granted else ()
    if surface.ESSENTIAL.intersection(missing):
        raise _refused("slack_scopes", missing_told(missing))
    return Checked(team=me.team, bot=me.user, missing=missing)


async def examine(settings: Settings, clock: Clock) -> tuple[str, str]:
    """For `rejoinder doctor`: what Slack says of us, and what to do about what is missing, "" for nothing.

    Raises `Refused` for a token that does not work, `NotSent` when Slack cannot be asked.
    """
    token, app_token = settings.slack_bot_token, settings.slack_app_token
    sender = Sender(token.get_secret_value() if token else "", clock, api_url=settings.slack_api_url or "")
    try:
        checked = await check(sender, Identity(sender), app_token.get_secret_value() if app_token else "")
    finally:
        await sender.close()
    way = "Socket Mode" if app_token else "signed requests on /slack/events"
    said = f"workspace {checked.team}, bot user {checked.bot}, {way}"
    if checked.missing:
        return f"{said}; not granted: {', '.join(checked.missing)}", "update the app from manifest.yml and reinstall it"
    return f"{said}, every scope of manifest.yml is granted", ""


def missing_told(missing: tuple[str, ...]) -> str:
    """What to do about scopes that are missing."""
    return f"the app lacks {', '.join(missing)}: update it from manifest.yml and reinstall it to the workspace"


async def _check_app_token(sender: Sender, app_token: str) -> None:
    """Ask for a connection once, with the app's own token."""
    apps = Sender(app_token, sender.clock, api_url=sender.api_url)
    try:
        await apps.call("apps.connections.open")
    except Ambiguous as error:
        raise NotSent(code=error.code, detail=error.detail) from error
    except NotSent as error:
        code = error.code.removeprefix("slack_")
        if code in _WRONG:
            raise _refused("slack_app_token", _APP_FIX.format(code=code)) from error
        raise
    except Refused as error:
        raise _refused("slack_app_token", _APP_FIX.format(code=error.code)) from error
    finally:
        await apps.close()


def _refused(code: str, detail: str) -> Refused:
    return Refused(code=code, detail=detail, fault=Fault.OPERATOR)
