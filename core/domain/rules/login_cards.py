"""The cards about one login: how they read, and their buttons, which are for the account that each card asks.

Knows: the question stands in every conversation that waits for it, and what is for its owner alone in a place of their
own. Must not know: what is decided about the login.
"""

from __future__ import annotations

from core.domain.entities import Button, ButtonStyle, Card
from core.domain.keys import ButtonId
from core.domain.rules.making import Making
from core.domain.rules.outcomes import newest, stand
from core.domain.rules.telling import quoted
from core.domain.tooling import Login
from core.domain.words import say

SIGN_IN, NOT_ME, WITHOUT, MINE, LOOK = "sign_in", "not_me", "without", "mine", "look"
_PRIMARY = (SIGN_IN, MINE)


def key(login: Login) -> str:
    """Of the card in a conversation."""
    return f"login:{login.id}"


def private_key(login: Login) -> str:
    """Of the card that its owner alone sees."""
    return f"mine:{login.id}"


def words(making: Making, login: Login, code: str, **more: str) -> str:
    """A sentence about the login."""
    return say(making.view.policy.language, code, server=quoted(login.server), **more)


def buttons(login: Login, language: str, user: str, *verbs: str) -> tuple[Button, ...]:
    """Buttons for one account."""
    return tuple(
        Button(
            id=str(ButtonId(verb=verb, subject=login.id)),
            label=say(language, f"login.button.{verb}"),
            style=ButtonStyle.PRIMARY if verb in _PRIMARY else ButtonStyle.PLAIN,
            for_user=user,
        )
        for verb in verbs
    )


def show(making: Making, login: Login, user: str, text: str, *verbs: str) -> None:
    """The card in this conversation reads so, new or standing already."""
    language, session = making.view.policy.language, making.session
    stands = next((each for each in making.view.login_cards if _is(each, key(login), session.id)), None)
    stand(making, stands, key(login), text, buttons(login, language, user, *verbs))


def retell(making: Making, login: Login, text: str, *verbs: str, only: str = "") -> None:
    """Every card in a conversation says what became of the login; with `only`, that of one conversation."""
    language = making.view.policy.language
    for card in making.view.login_cards:
        if card.key == key(login) and only in ("", card.session_id):
            user = card.buttons[0].for_user if card.buttons else login.asker.user
            making.card(newest(card, text=text, buttons=buttons(login, language, user, *verbs)))


def whisper(making: Making, login: Login, text: str, *verbs: str) -> None:
    """The card that the login's owner alone sees reads so; where there is none yet it is made."""
    shown = buttons(login, making.view.policy.language, login.asker.user, *verbs)
    stands = next((each for each in making.view.login_cards if _is(each, private_key(login), "")), None)
    if stands is None:
        making.card(making.new_card(private_key(login), text, shown, recipient=login.asker))
    else:
        making.card(newest(stands, text=text, buttons=shown))


def answer_whisper(making: Making, login: Login, text: str) -> None:
    """What was asked there is answered: the card says so, if it stands."""
    if any(_is(each, private_key(login), "") for each in making.view.login_cards):
        whisper(making, login, text)


def _is(card: Card, name: str, session_id: str) -> bool:
    return card.key == name and session_id in ("", card.session_id)
