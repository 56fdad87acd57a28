"""What becomes of the account that a browser brought: used at once, or held until its owner says that it is theirs.

Theory. A link to sign in is told to one person. If it is passed on, whoever opens it may sign in with an account of
their own, and the person would work with it. A browser that is known to be the person's brings the person's account.
Of another one nothing is known, and the first login of a person can be no other than that, so it is used. But it is
doubtful when this person had another account there, or when the account is another person's login here already: then it
is held, sealed and unused, the calls wait on, and its owner is asked in private. Until they say yes it is nobody's.
Must not know: browsers, pages, how a link was found to be in the wrong hands.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from core.domain.decision import Decision, Private, View
from core.domain.effects import RefreshCredential
from core.domain.entities import Phase
from core.domain.events import LinkStrayed, SignedIn
from core.domain.keys import Audience
from core.domain.rules import connections, login_cards
from core.domain.rules.login_cards import LOOK, MINE, NOT_ME
from core.domain.rules.making import Making
from core.domain.rules.telling import quoted
from core.domain.stamp import Stamp
from core.domain.tooling import CallState, Credential, CredentialStatus, Login, LoginState, ToolCall
from core.domain.words import say

STRAYED = "strayed"  # the failure of a login whose link was in the wrong hands


def take(making: Making, login: Login, credential: Credential, event: SignedIn) -> None:
    """The browser brought an account: it is used, or held."""
    if not event.known and _is_doubtful(making.view, credential):
        _hold(making, login, credential)
    else:
        _attach(making, login, _replacing(making.view, credential))


def _is_doubtful(view: View, credential: Credential) -> bool:
    """Whether it may be somebody else's. A server that does not name its people leaves nothing to go by."""
    before = view.credential.account if view.credential is not None else ""
    if before and credential.account:
        return before.casefold() != credential.account.casefold()
    return view.shared


def _attach(making: Making, login: Login, credential: Credential) -> None:
    """It is used from now on, and everything that waited for it goes on."""
    done = replace(login, state=LoginState.DONE, credential_id=credential.id, link="", sealed="", failure="")
    making.put(credential, done)
    code = "login.done_as" if credential.account else "login.done"
    told = [login_cards.words(making, login, code, account=quoted(credential.account))]
    if making.view.sign_in_calls:
        told.append(say(making.view.policy.language, "login.goes_on"))
    login_cards.retell(making, login, " ".join(told), NOT_ME)
    _go_on(making, credential)


def _replacing(view: View, credential: Credential) -> Credential:
    """The new login in the place of the old one, if there is one."""
    old = view.credential
    if old is None or old.status is CredentialStatus.ENDING:
        return credential
    return replace(credential, id=old.id, version=old.version + 1, created_ms=old.created_ms)


def _go_on(making: Making, credential: Credential) -> None:
    """Calls of this session go on in this commit; those of other sessions when their own lane takes it."""
    here = [each for each in making.view.sign_in_calls if each.session_id == making.session.id]
    run(making, here)
    elsewhere = {each.session_id for each in making.view.sign_in_calls} - {making.session.id}
    for session_id in sorted(elsewhere):
        effect = RefreshCredential(credential_id=credential.id, version=0)
        making.effect(effect, session_id=session_id)


def run(making: Making, calls: Iterable[ToolCall]) -> None:
    """What waited for a login is called."""
    from core.domain.rules import looping  # noqa: PLC0415  (the loop asks for logins, and logins let the loop go on)

    looping.go_on(making, tuple(each for each in calls if each.state is CallState.SIGN_IN))


# ---------------------------------------------------------------------------------------- in doubt


def _hold(making: Making, login: Login, credential: Credential) -> None:
    """It is kept and not used. The thread learns that something waits; whose account it is stands in private alone."""
    let_go(making, login)
    held = replace(credential, status=CredentialStatus.HELD)
    waits = replace(login, state=LoginState.HELD, credential_id=held.id, link="", sealed="", failure="")
    making.put(held, waits)
    question = _question(making, waits, held)
    if making.session.audience is Audience.DM:
        login_cards.retell(making, waits, question, MINE, NOT_ME)
    else:
        login_cards.retell(making, waits, login_cards.words(making, waits, "login.held"), LOOK)
        login_cards.whisper(making, waits, question, MINE, NOT_ME)


def _question(making: Making, login: Login, held: Credential) -> str:
    return login_cards.words(making, login, "login.is_it_you", account=quoted(held.account))


def join(making: Making, login: Login, user: str) -> None:
    """One more call waits for an account that is held."""
    login_cards.show(making, login, user, login_cards.words(making, login, "login.held"), LOOK)


def held_of(making: Making, login: Login) -> Credential | None:
    """What is held for this login."""
    if login.state is not LoginState.HELD:
        return None
    return next((each for each in making.view.held if each.id == login.credential_id), None)


def look(making: Making, login: Login) -> Decision:
    """`[Whose is it?]`: the question, for its owner's eyes."""
    held = held_of(making, login)
    if held is None:
        return making.done(Private(text=say(making.view.policy.language, "private.already_done")))
    shown = login_cards.buttons(login, making.view.policy.language, login.asker.user, MINE, NOT_ME)
    return making.done(Private(text=_question(making, login, held), buttons=shown))


def mine(making: Making, login: Login) -> Decision:
    """`[Yes, use it]`: it takes the place of what was there, which is given back."""
    held, view = held_of(making, login), making.view
    if held is None:
        return making.done(Private(text=say(view.policy.language, "private.already_done")))
    if view.credential is not None:
        ended, effects = connections.end_all((view.credential,), making.stamp)
        making.put(*ended, *effects)
    _attach(making, login, replace(held, status=CredentialStatus.OK, version=held.version + 1))
    told = login_cards.words(making, login, "login.mine_reply", account=quoted(held.account))
    login_cards.answer_whisper(making, login, told)
    return making.done(Private(text=told))


def let_go(making: Making, login: Login) -> None:
    """What is held for a login is not wanted: it is given back at its server."""
    held = held_of(making, login)
    if held is not None:
        ended, effects = connections.end_all((held,), making.stamp)
        making.put(*ended, *effects)


# ---------------------------------------------------------------------------------- in wrong hands


def on_strayed(view: View, event: LinkStrayed, stamp: Stamp) -> Decision:
    """Somebody else had the link: nothing has come of it, the link still works, and its owner is told in private."""
    del event
    login, session = view.login, view.session
    if login is None or session is None or session.phase is Phase.ERASED or login.state is not LoginState.OPEN:
        return Decision()
    making = Making(view, stamp, session)
    making.put(replace(login, failure=STRAYED))
    login_cards.whisper(making, login, login_cards.words(making, login, "login.strayed"))
    return making.done()
