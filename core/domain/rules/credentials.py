"""Logins at tool servers: asked for once, by a card without any address, for the one person whose call needs it.

Knows: one open question for each person and server, however many calls and conversations wait for it; what is asked is
not asked again within ten minutes; when the login is there, every call that waited goes on by itself; whoever moved on
is asked nothing more. The link is made by the person's own press, goes to them alone, and is stored as a digest.
Must not know: OAuth, pages, tokens (what is sealed in a credential is opened by nobody here), whose account it may be
(see `holding`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from core.domain import links
from core.domain.decision import Decision, Private, View
from core.domain.entities import Phase, Turn
from core.domain.events import ButtonPressed, CredentialReady, SignedIn
from core.domain.rules import approving, connections, holding, login_cards
from core.domain.rules.login_cards import LOOK, MINE, NOT_ME, SIGN_IN, WITHOUT, words
from core.domain.rules.making import Making
from core.domain.rules.replies import private
from core.domain.rules.telling import quoted
from core.domain.stamp import Stamp
from core.domain.tooling import Login, LoginState, ToolCall
from core.domain.words import say

QUIET_MS = 10 * 60_000  # what was asked is not asked again for so long


# ------------------------------------------------------------------------------------------ asking


def ask(making: Making, turn: Turn, call: ToolCall) -> bool:
    """The call needs a login of its asker: put the question, or join it; False when this answer has just had one.

    A login that was good and ends within minutes, as short-lived ones do, is asked for anew by the next question.
    """
    view = making.view
    known = next((each for each in view.logins if each.server == call.server), None)
    fresh = known is not None and making.now_ms - known.created_ms < QUIET_MS
    if known is not None and holding.held_of(making, known) is not None:
        holding.join(making, known, call.asker.user)
        return True
    if known is not None and (known.state is LoginState.OPEN or (fresh and known.state is LoginState.CANCELLED)):
        making.put(replace(known, state=LoginState.OPEN, failure=""))
        _show(making, known, turn, call, _asked_as(known, turn))
        return True
    if fresh and known is not None and known.created_ms >= turn.created_ms:
        return False  # this very answer has had its login, and it does not help
    login = Login(
        id=making.stamp.ulid(f"login:{call.server}"),
        owner=view.caller,
        asker=call.asker,
        session_id=turn.session_id,
        server=call.server,
        created_ms=making.now_ms,
    )
    making.put(login)
    had_one = any(each.server == call.server for each in view.credentials)
    _show(making, login, turn, call, "login.ask_again" if had_one else "login.ask")
    return True


def _asked_as(known: Login, turn: Turn) -> str:
    """How a question that was put before is put here: it is another conversation's, if that one still waits."""
    elsewhere = known.state is LoginState.OPEN and known.session_id != turn.session_id
    return "login.joined" if elsewhere else "login.ask"


def left(making: Making, calls: Sequence[ToolCall], code: str) -> None:
    """The answer goes on, or ends, without these calls: what nothing else waits for is not asked any more."""
    if calls:
        _let_go(making, calls, f"login.{code}" if code in ("moved_on", "waited_long") else "login.dropped")


def _let_go(making: Making, calls: Iterable[ToolCall], code: str) -> None:
    gone = {each.id for each in calls}
    left = [each for each in making.view.sign_in_calls if each.id not in gone]
    for login in making.view.logins:
        waits = [each for each in left if (each.server, each.asker) == (login.server, login.asker)]
        asks = login.state in (LoginState.OPEN, LoginState.HELD)
        if asks and not waits:
            holding.let_go(making, login)
            making.put(replace(login, state=LoginState.CANCELLED, credential_id=""))
            login_cards.retell(making, login, words(making, login, code))
            login_cards.answer_whisper(making, login, words(making, login, code))
        elif asks and not any(each.session_id == making.session.id for each in waits):
            login_cards.retell(making, login, words(making, login, code), only=making.session.id)


def _show(making: Making, login: Login, turn: Turn, call: ToolCall, code: str) -> None:
    """The question in this session, for the account that asked here."""
    text = approving.for_step(making, turn) + words(making, login, code)
    login_cards.show(making, login, call.asker.user, text, SIGN_IN, WITHOUT)


# ------------------------------------------------------------------------------------- the callback


def on_signed_in(view: View, event: SignedIn, stamp: Stamp) -> Decision:
    """The browser came back: the login is saved and everything that waited for it goes on; or it did not work."""
    login, session = view.login, view.session
    if login is None or session is None or session.phase is Phase.ERASED:
        return Decision()
    making = Making(view, stamp, session)
    _act(making)
    if event.credential is None:
        _did_not_work(making, login, event.failure)
        return making.done()
    holding.take(making, login, event.credential, event)
    return making.done()


def _did_not_work(making: Making, login: Login, failure: str) -> None:
    if login.state is not LoginState.OPEN:
        return
    making.put(replace(login, failure=failure))
    code = f"login.{failure}" if failure in ("declined", "down") else "login.failed"
    login_cards.retell(making, login, words(making, login, code), SIGN_IN, WITHOUT)


def on_ready(view: View, event: CredentialReady, stamp: Stamp) -> Decision:
    """A login that was got elsewhere is there: the calls of this session that wait for it go on."""
    session, credential = view.session, view.credential
    if session is None or session.phase is Phase.ERASED or credential is None:
        return Decision()
    del event
    making = Making(view, stamp, session)
    if connections.is_good(credential, stamp.now_ms):
        holding.run(making, [each for each in view.sign_in_calls if each.session_id == session.id])
    else:
        connections.correct(making, credential)
    return making.done()


# ------------------------------------------------------------------------------------------ buttons


def on_button(view: View, event: ButtonPressed, stamp: Stamp) -> Decision:
    """A button of a login's card, or of `/connections`; only whose login it is may press it."""
    login, session = view.login, view.session
    if login is None or session is None or session.phase is Phase.ERASED or view.person is None:
        return private(view, "private.gone")
    if view.person.identity != login.owner and view.person.key != login.asker:
        return private(view, "login.not_yours")
    making = Making(view, stamp, session)
    _act(making)
    return _BUTTONS[event.button.verb](making, login)


def _act(making: Making) -> None:
    """Whoever signs in is here. A conversation that is parked does not come back by it: a message brings it back."""
    if making.session.phase in (Phase.ACTIVE, Phase.WARNED):
        making.human_act()


def _sign_in(making: Making, login: Login) -> Decision:
    """A new one-time link, told to this person only; the one before is worth nothing from now on."""
    language, server = making.view.policy.language, quoted(login.server)
    if login.state is LoginState.DONE:
        return making.done(Private(text=say(language, "login.over", server=server)))
    if login.state is LoginState.CANCELLED:
        return making.done(Private(text=say(language, "login.not_needed")))
    if login.state is LoginState.HELD:
        return holding.look(making, login)
    link = links.new_link(making.stamp)
    made = replace(
        login, link=links.digest_of_link(link), expires_ms=making.now_ms + links.LIFE_MS, browser="", failure=""
    )
    making.put(made)
    told = say(language, "login.link", server=server, link=links.placeholder(link))
    if login.failure == holding.STRAYED:  # whoever cannot be written to in private has not read it yet
        told = f"{words(making, login, 'login.strayed')}\n{told}"
    return making.done(Private(text=told))


def _without(making: Making, login: Login) -> Decision:
    """The person does not want to sign in: the calls are left, the answer goes on without them."""
    from core.domain.rules import looping  # noqa: PLC0415

    view = making.view
    if login.state is not LoginState.OPEN:
        return making.done(Private(text=say(view.policy.language, "private.already_done")))
    here = [each for each in view.sign_in_calls if each.session_id == making.session.id]
    _let_go(making, here, "login.without")
    looping.leave(making, tuple(here))
    return making.done()


def _not_me(making: Making, login: Login) -> Decision:
    """It is not the account that it should be: given back at once, and asked for anew on the same card."""
    language, credential = making.view.policy.language, making.view.credential
    if login.state not in (LoginState.DONE, LoginState.HELD):
        return making.done(Private(text=say(language, "private.already_done")))
    holding.let_go(making, login)
    if credential is not None and credential.id == login.credential_id:
        ended, effects = connections.end_all((credential,), making.stamp)
        making.put(*ended, *effects)
    again = replace(login, state=LoginState.OPEN, credential_id="", created_ms=making.now_ms, link="", sealed="")
    making.put(again)
    login_cards.retell(making, again, words(making, again, "login.not_me"), SIGN_IN, WITHOUT)
    login_cards.answer_whisper(making, again, say(language, "login.not_me_reply"))
    return making.done(Private(text=say(language, "login.not_me_reply")))


_BUTTONS: Mapping[str, Callable[[Making, Login], Decision]] = {
    SIGN_IN: _sign_in,
    WITHOUT: _without,
    NOT_ME: _not_me,
    MINE: holding.mine,
    LOOK: holding.look,
}
BUTTONS: Mapping[str, Callable[[View, ButtonPressed, Stamp], Decision]] = dict.fromkeys(_BUTTONS, on_button)
