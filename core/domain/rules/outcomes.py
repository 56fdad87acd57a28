"""What became of the effects that are not model calls.

Knows: deliveries, cards, files, marks, and the general outcomes waits / stumbled / refused.
Must not know: how they were carried out.
"""

from __future__ import annotations

from dataclasses import replace

from core.domain.decision import Decision, View
from core.domain.effects import Erase, FetchFile, Mark
from core.domain.entities import Button, Card, EffectRow, EffectState, Entity, FileCopy
from core.domain.events import (
    CardShown,
    Delivered,
    EffectRefused,
    EffectStumbled,
    EffectWaits,
    FileFetched,
)
from core.domain.keys import Place
from core.domain.outline import Outline
from core.domain.rules import attempts
from core.domain.rules.making import Making
from core.domain.stamp import Stamp
from core.domain.words import say


def on_delivered(event: Delivered) -> Decision:
    """The whole answer stands in its place."""
    return Decision(changes=event.parts)


def on_card_shown(view: View, event: CardShown, stamp: Stamp) -> Decision:
    """The card stands at a version; when it has changed meanwhile it is shown again."""
    card = view.card
    if card is None or view.session is None:
        return Decision()
    making = Making(view, stamp, view.session)
    if card.recipient is None and event.place not in ("", str(card.place)):
        _shown_too_late(making, card, event)
        return making.done()
    shown = replace(card, shown_version=event.version, ref=event.ref)
    making.put(shown)
    if shown.wanted_version > shown.shown_version:
        making.show(shown)
    return making.done()


def _shown_too_late(making: Making, card: Card, event: CardShown) -> None:
    """It was shown where the session no longer lives: that posting is told so, and the card is shown anew."""
    language = making.view.policy.language
    there = Card(
        id=making.stamp.ulid("card:left"),
        session_id=card.session_id,
        key=f"left:{card.key}:{event.version}",
        place=Place.parse(event.place),
        text=say(language, "move.card_left_late"),
        ref=event.ref,
        created_ms=making.now_ms,
    )
    making.card(there)
    making.show(card)


def on_file_fetched(event: FileFetched) -> Decision:
    """The bytes are here (or the reason why not); whoever waited for them goes on."""
    copy = FileCopy(
        file_id=event.file_id,
        session_id=event.session_id,
        media_type=event.media_type,
        data=event.data,
        problem=event.problem,
    )
    return Decision(changes=(copy,))


def on_waits(view: View, event: EffectWaits, stamp: Stamp) -> Decision:
    """Nothing happened: it waits, until its deadline."""
    row = view.finishing
    if row is None:
        return Decision()
    return _after(attempts.postpone(row, stamp.now_ms, event.retry_ms, event.code))


def on_stumbled(view: View, event: EffectStumbled, stamp: Stamp) -> Decision:
    """It may have happened: look first, then again, three times."""
    row = view.finishing
    if row is None:
        return Decision()
    if isinstance(row.effect, Mark):
        return Decision()
    if isinstance(row.effect, Erase):
        return _after(attempts.insist(row, stamp.now_ms, event.code))
    return _after(attempts.stumble(row, stamp.now_ms, event.code, blameless=event.blameless))


def on_refused(view: View, event: EffectRefused) -> Decision:
    """A definite no: it has failed."""
    row = view.finishing
    if row is None:
        return Decision()
    return _after(replace(row, state=EffectState.FAILED, failure=event.code))


def stand(
    making: Making,
    stands: Card | None,
    key: str,
    text: str,
    buttons: tuple[Button, ...],
    outline: Outline | None = None,
) -> None:
    """The card reads so: one that stands already is changed if it reads otherwise, else there is a new one."""
    if stands is None:
        making.card(replace(making.new_card(key, text, buttons), outline=outline))
    elif (stands.text, stands.buttons, stands.outline) != (text, buttons, outline):
        making.card(newest(stands, text=text, buttons=buttons, outline=outline))


def newest(card: Card, **changes: object) -> Card:
    """The card with `changes`, wanted at its next version. Other words are no longer what its outline says."""
    if "text" in changes:
        changes.setdefault("outline", None)
    return replace(card, wanted_version=card.wanted_version + 1, **changes)  # type: ignore[arg-type]


def _after(row: EffectRow) -> Decision:
    """The effect as it goes on. A file that cannot be had is told to the model as such."""
    changes: list[Entity] = [row]
    if row.state is EffectState.FAILED and isinstance(row.effect, FetchFile):
        copy = FileCopy(
            file_id=row.effect.file_id,
            session_id=row.session_id,
            media_type=row.effect.media_type,
            problem=row.failure,
        )
        changes.append(copy)
    return Decision(changes=tuple(changes))
