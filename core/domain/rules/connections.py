"""The logins that a person has: listed, ended, kept fresh, and told of at a return.

Knows: what the row of a login says about whether a call would go out with it, and that only its owner may end it. A
login that is ended is not used from that moment; an effect revokes it at its server and deletes it here.
Must not know: how somebody signs in (see `credentials`), OAuth, tokens.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from core.domain.decision import Decision, Private, View
from core.domain.effects import RefreshCredential
from core.domain.entities import Button, ButtonStyle, EffectRow
from core.domain.events import ButtonPressed, CommandIssued, CredentialDue
from core.domain.keys import ButtonId
from core.domain.rules.making import Making
from core.domain.rules.outcomes import newest
from core.domain.rules.replies import private
from core.domain.rules.telling import quoted
from core.domain.stamp import Stamp
from core.domain.tooling import Credential, CredentialStatus
from core.domain.words import say

REFRESH_MS = 10 * 60_000  # a refresh ahead of time that does not get through for so long is left to the next call
LIST_MAX = 10
DISCONNECT = "disconnect"


def on_due(view: View, event: CredentialDue, stamp: Stamp) -> Decision:
    """A login ends soon: renew it now, while nobody waits for it."""
    del view
    row = EffectRow(
        id=stamp.ulid("effect:refresh"),
        session_id="",
        effect=RefreshCredential(credential_id=event.credential_id, version=event.version),
        created_ms=stamp.now_ms,
        deadline_ms=stamp.now_ms + REFRESH_MS,
    )
    return Decision(changes=(row,))


def on_connections(view: View, event: CommandIssued, stamp: Stamp) -> Decision:
    """`/connections`: where the person is signed in, with a way out of each."""
    del event
    language = view.policy.language
    known = [each for each in view.credentials if each.status is not CredentialStatus.ENDING][:LIST_MAX]
    if view.person is None or not (known or view.held):
        return private(view, "connections.none")
    lines = [_told(each, language, stamp.now_ms) for each in known]
    lines += [_told_held(each, language) for each in view.held[:LIST_MAX]]
    buttons = tuple(
        Button(
            id=str(ButtonId(verb=DISCONNECT, subject=each.id)),
            label=say(language, "login.button.disconnect", server=each.server),
            style=ButtonStyle.DANGER,
        )
        for each in known
    )
    return Decision(reply=Private(text="\n".join(lines), buttons=buttons))


def _told(credential: Credential, language: str, now_ms: int) -> str:
    server = quoted(credential.server)
    if not is_good(credential, now_ms):
        return say(language, "connections.needs_login", server=server)
    if not credential.account:
        return say(language, "connections.ok", server=server)
    return say(language, "connections.ok_as", server=server, account=quoted(credential.account))


def _told_held(credential: Credential, language: str) -> str:
    return say(language, "connections.held", server=quoted(credential.server), account=quoted(credential.account))


def is_good(credential: Credential, now_ms: int) -> bool:
    """Whether a call would go out with it, as far as we know: it holds still, or can be renewed."""
    if credential.status is not CredentialStatus.OK:
        return False
    return credential.renewable or credential.expires_ms is None or credential.expires_ms > now_ms


def preflight(view: View, now_ms: int) -> str:
    """One line about the logins that this conversation has used, "" when it has used none."""
    language = view.policy.language
    states = [
        say(language, "preflight.ok" if good else "preflight.needs_login", server=quoted(server))
        for server, good in _used(view, now_ms)
    ]
    return f"{', '.join(states)}." if states else ""


def all_good(view: View, now_ms: int) -> bool:
    """Whether every login that this conversation has used is there."""
    return all(good for _, good in _used(view, now_ms))


def _used(view: View, now_ms: int) -> list[tuple[str, bool]]:
    known = {each.server: each for each in view.credentials}
    return [(each, each in known and is_good(known[each], now_ms)) for each in view.used_servers]


def on_disconnect(view: View, event: ButtonPressed, stamp: Stamp) -> Decision:
    """`[Disconnect]` of `/connections`."""
    del event
    language, credential = view.policy.language, view.credential
    if view.person is None or credential is None or credential.status is CredentialStatus.ENDING:
        return private(view, "connections.gone")
    if view.person.identity != credential.owner:
        return private(view, "private.not_yours")
    ended, effects = end_all((credential,), stamp)
    reply = Private(text=say(language, "connections.done", server=quoted(credential.server)))
    return Decision(changes=(*ended, *effects), reply=reply)


def end_all(credentials: Iterable[Credential], stamp: Stamp) -> tuple[tuple[Credential, ...], tuple[EffectRow, ...]]:
    """Logins that are not used from now on, and the effects that revoke each at its server and delete it here."""
    ended = tuple(
        replace(each, status=CredentialStatus.ENDING, version=each.version + 1, updated_ms=stamp.now_ms)
        for each in credentials
        if each.status is not CredentialStatus.ENDING
    )
    effects = tuple(
        EffectRow(
            id=stamp.ulid(f"effect:end:{each.id}"),
            session_id="",
            effect=RefreshCredential(credential_id=each.id, version=each.version),
            created_ms=stamp.now_ms,
        )
        for each in ended
    )
    return ended, effects


def check(making: Making) -> None:
    """Somebody comes back: logins that this conversation has used and that have run out are renewed now, not later."""
    for each in making.view.credentials:
        stale = each.renewable and each.expires_ms is not None and each.expires_ms <= making.now_ms
        if each.server in making.view.used_servers and each.status is CredentialStatus.OK and stale:
            making.effect(
                RefreshCredential(credential_id=each.id, version=each.version), deadline_ms=making.now_ms + REFRESH_MS
            )


def correct(making: Making, credential: Credential) -> None:
    """What was said of a login at the return turns out to be wrong: the card says so."""
    language, server = making.view.policy.language, quoted(credential.server)
    before, now = (say(language, f"preflight.{each}", server=server) for each in ("ok", "needs_login"))
    for card in making.view.return_cards:
        if before in card.text:
            making.card(newest(card, text=card.text.replace(before, now)))
