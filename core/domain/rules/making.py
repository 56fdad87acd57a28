"""A decision in the making: the few moves that all rules share.

Knows: how messages enter a session, how a turn is opened, how the model is asked and paid, how a card changes.
Must not know: why. The rules decide; this file keeps seqs, tokens, money and effects consistent while they do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from core.domain.decision import Decision, Nothing, Reply, View
from core.domain.effects import AskModel, Deliver, FetchFile, Mark, MarkKind, ShowCard
from core.domain.entities import (
    Binding,
    Card,
    EffectRow,
    EffectState,
    Entity,
    Forgotten,
    Message,
    Person,
    Phase,
    Role,
    Session,
    Turn,
    TurnState,
    Waiting,
)
from core.domain.events import MessageReceived, Usage
from core.domain.keys import SessionKey
from core.domain.rules import budget
from core.domain.rules.recall import estimate
from core.domain.stamp import Stamp

TITLE_MAX_CHARS = 80
MARK_LIFE_MS = 60_000  # a "seen" sign a minute late is worth nothing


def incoming(event: MessageReceived, session_id: str, stamp: Stamp) -> Waiting:
    """The message as it waits to be taken into a turn."""
    return Waiting(
        id=stamp.ulid("waiting"),
        session_id=session_id,
        author=event.author.name,
        asker=event.author.key,
        text=event.text,
        ref=event.ref,
        received_ms=stamp.now_ms,
        held=event.caught_up,
        files=event.files,
    )


def new_session(key: SessionKey, person: Person, stamp: Stamp) -> Session:
    """A session that begins here and now."""
    return Session(
        id=stamp.ulid("session"),
        owner=person.identity,
        home=key,
        created_ms=stamp.now_ms,
        last_human_ms=stamp.now_ms,
    )


class Making:
    """Collects rows; `session`, `turn` and `spends` are the latest state of what the view began with."""

    def __init__(self, view: View, stamp: Stamp, session: Session) -> None:
        self.view = view
        self.stamp = stamp
        self.now_ms = stamp.now_ms
        self.session = session
        self.spends = view.spends
        self._rows: list[Entity] = []
        self._effects = 0
        if session is not view.session:
            self.put(Binding(key=session.home, session_id=session.id))

    def put(self, *rows: Entity) -> None:
        """Rows as they shall be."""
        self._rows.extend(rows)

    def human_act(self) -> None:
        """A person did something here: the idle clock starts anew. What they closed stays closed."""
        phase = Phase.CLOSED if self.session.phase is Phase.CLOSED else Phase.ACTIVE
        self.session = replace(self.session, last_human_ms=self.now_ms, phase=phase)

    def done(self, reply: Reply | None = None, **more: int | tuple[str, ...]) -> Decision:
        """The decision: all rows, then the session and the spends as they ended."""
        spends = tuple(each for each in self.spends if each not in self.view.spends)
        return Decision(
            changes=(self.session, *self._rows, *spends),
            reply=reply or Nothing(),
            **more,  # type: ignore[arg-type]
        )

    # ------------------------------------------------------------------------------------ messages

    def take(self, waiting: Sequence[Waiting], turn_id: str) -> tuple[Message, ...]:
        """Messages of people enter the history, in order."""
        return tuple(self._take(each, turn_id) for each in waiting)

    def _take(self, each: Waiting, turn_id: str) -> Message:
        message = Message(
            session_id=self.session.id,
            seq=self.session.next_seq,
            role=Role.USER,
            text=each.text,
            created_ms=each.received_ms,
            author=each.author,
            ref=each.ref,
            tokens=estimate(each.text),
            turn_id=turn_id,
            files=each.files,
        )
        self.add(message)
        return message

    def add(self, message: Message) -> None:
        """A message enters the history under the session's next seq."""
        self.put(message)
        self.session = replace(
            self.session,
            next_seq=self.session.next_seq + 1,
            tokens=self.session.tokens + message.tokens,
            title=self.session.title or " ".join(message.text.split())[:TITLE_MAX_CHARS],
        )

    def put_again(self, message: Message) -> None:
        """A message takes the place of an earlier form of itself, whose tokens `reopen` has taken off."""
        self.put(message)
        self.session = replace(self.session, tokens=self.session.tokens + message.tokens)

    def reopen(self, turn: Turn) -> Turn:
        """A turn that had failed is open again; its partial answer counts anew when it is stored anew."""
        if turn.answer_seq is not None:
            tokens = max(self.session.tokens - estimate(turn.said), 0)
            self.session = replace(self.session, tokens=tokens)
        return replace(turn, state=TurnState.OPEN, failure="", stalls=0, stripped=False)

    def wait(self, message: Waiting) -> None:
        """The message waits for the next turn; its author sees that it was seen."""
        self.put(message)
        if message.ref:
            mark = Mark(platform=message.asker.platform, ref=message.ref, mark=MarkKind.SEEN)
            self.effect(mark, deadline_ms=self.now_ms + MARK_LIFE_MS)

    # --------------------------------------------------------------------------------------- turns

    def open_turn(self, waiting: Sequence[Waiting], *, pause_ms: int) -> Turn:
        """A turn that answers `waiting` (at least one), asked after `pause_ms`."""
        turn_id = self.stamp.ulid("turn")
        taken = self.take(waiting, turn_id)
        turn = Turn(
            id=turn_id,
            session_id=self.session.id,
            asker=waiting[-1].asker,
            place=self.session.home.place,
            reply_to=waiting[-1].ref,
            created_ms=self.now_ms,
            first_seq=taken[0].seq,
            last_seq=taken[-1].seq,
            model=self.view.policy.model,
        )
        turn = self.ask(turn, not_before_ms=self.now_ms + pause_ms, waits=self.fetch(waiting))
        self.put(turn)
        self.deliver(turn)
        return turn

    def ask(self, turn: Turn, *, not_before_ms: int, waits: tuple[str, ...] = ()) -> Turn:
        """Ask the model for `turn`; it comes back as it was, or FAILED when today's budget cannot pay."""
        effect = AskModel(
            turn_id=turn.id,
            reserved=budget.price_of_turn(self.view.policy, self.session.tokens),
            accounts=budget.accounts_of(self.session),
            day=budget.day_of(self.now_ms),
        )
        failure = budget.over_limit(self.view.policy, self.spends, effect)
        if failure:
            return replace(turn, state=TurnState.FAILED, failure=failure)
        self.spends = budget.merged(self.spends, budget.reserve(self.spends, effect))
        deadline_ms = self.now_ms + self.view.policy.model_deadline_ms
        self.effect(effect, not_before_ms=not_before_ms, deadline_ms=deadline_ms, waits=waits)
        return turn

    def deliver(self, turn: Turn) -> None:
        """Show the answer of `turn` in its place, from now until it is final."""
        self.effect(
            Deliver(turn_id=turn.id),
            order_key=f"answer:{turn.place}",
            deadline_ms=self.now_ms + self.view.policy.platform_deadline_ms,
        )

    def fetch(self, waiting: Sequence[Waiting]) -> tuple[str, ...]:
        """Copy the files of `waiting`; returns the effects that the model call has to wait for."""
        return tuple(
            self.effect(
                FetchFile(
                    platform=each.asker.platform,
                    file_id=file.id,
                    handle=file.handle,
                    name=file.name,
                    media_type=file.media_type,
                ),
                deadline_ms=self.now_ms + self.view.policy.model_deadline_ms,
            )
            for each in waiting
            for file in each.files
        )

    def next_turn(self) -> None:
        """What waited while an answer was running becomes the next turn, at once."""
        ready = tuple(each for each in self.view.waiting if not each.held)
        if ready:
            self.put(Forgotten(waiting=tuple(each.id for each in ready)))
            self.open_turn(ready, pause_ms=0)

    def settle(self, usage: Usage) -> None:
        """Pay for the model call that this event finishes."""
        self._pay(self.view.finishing, usage)

    def give_back(self, row: EffectRow) -> None:
        """A model call that will never be made gives its reservation back."""
        self._pay(row, Usage())

    def _pay(self, row: EffectRow | None, usage: Usage) -> None:
        if row is not None and isinstance(row.effect, AskModel):
            self.spends = budget.merged(self.spends, budget.settle(self.spends, row.effect, usage))

    # --------------------------------------------------------------------------- cards and effects

    def card(self, card: Card) -> None:
        """The card changes (or is new); one pending or running ShowCard brings it up to date."""
        self.put(card)
        showing = any(
            isinstance(each.effect, ShowCard) and each.effect.card_key == card.key for each in self.view.open_effects
        )
        if not showing:
            self.show(card)

    def show(self, card: Card) -> None:
        """Bring the card up to its wanted version."""
        self.effect(
            ShowCard(card_key=card.key),
            order_key=f"card:{card.place}",
            deadline_ms=self.now_ms + self.view.policy.platform_deadline_ms,
        )

    def effect(
        self,
        effect: AskModel | Deliver | ShowCard | FetchFile | Mark,
        *,
        not_before_ms: int = 0,
        deadline_ms: int | None = None,
        order_key: str = "",
        waits: tuple[str, ...] = (),
    ) -> str:
        """A new effect, pending; returns its id."""
        self._effects += 1
        row = EffectRow(
            id=self.stamp.ulid(f"effect:{self._effects}"),
            session_id=self.session.id,
            effect=effect,
            created_ms=self.now_ms,
            state=EffectState.PENDING,
            not_before_ms=not_before_ms,
            deadline_ms=deadline_ms,
            order_key=order_key,
            waits=waits,
        )
        self.put(row)
        return row.id
