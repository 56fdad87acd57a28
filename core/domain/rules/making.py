"""A decision in the making: the few moves that all rules share.

Knows: how messages enter a session, how a turn is opened, how the model is asked and paid, how a card changes.
Must not know: why. The rules decide; this file keeps seqs, tokens, money and effects consistent while they do.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace

from core.domain.decision import Decision, Nothing, Reply, View
from core.domain.effects import AskModel, Deliver, Effect, FetchFile, Mark, MarkKind, ReadThread, ShowCard, Summarize
from core.domain.entities import (
    Binding,
    Button,
    Card,
    EffectRow,
    EffectState,
    Entity,
    Forgotten,
    Level,
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
from core.domain.keys import PersonKey, Place, SessionKey
from core.domain.rules import budget
from core.domain.rules.stitch import after
from core.domain.rules.timeline import next_due
from core.domain.stamp import Stamp
from core.domain.tasking import Work
from core.domain.tokens import estimate, weigh

TITLE_MAX_CHARS = 80
READ_THREAD_MS = 20_000  # nobody waits longer for an answer because a thread cannot be read
RING_MAX_MS = 300 * 24 * 3_600_000  # a step further ahead is looked at again on the way
PACE_MS = 1_500  # between two edits of a card that follows something; a person cannot read faster
PACED = "task:"  # the cards that do
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


def title_of(text: str) -> str:
    """The title of a conversation that begins with these words."""
    return " ".join(text.split())[:TITLE_MAX_CHARS]


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
    """Collects rows; `session`, `works` and `spends` are the latest state of what the view began with."""

    def __init__(self, view: View, stamp: Stamp, session: Session) -> None:
        self.view = view
        self.stamp = stamp
        self.now_ms = stamp.now_ms
        self.session = session
        self.spends = view.spends
        self.works: dict[str, Work] = {each.task.id: each for each in (*view.works, *filter(None, (view.work,)))}
        self._rows: list[Entity] = []
        self._last: dict[str, Callable[[], None]] = {}
        self._stops: list[str] = []
        self.careful: frozenset[str] = frozenset()  # tools that are asked for, by the names that the model knows
        self.delivery = ""  # the newest delivery of an answer that this decision begins
        self._before_answer: tuple[str, ...] = ()  # what has to be shown before that
        self._effects = 0
        self._showing: set[tuple[str, str]] = set()
        self._postponed_ms: int | None = None
        if session is not view.session:
            self.put(Binding(key=session.home, session_id=session.id))
            self.session = replace(session, language=view.spoken or view.hinted)

    def put(self, *rows: Entity) -> None:
        """Rows as they shall be."""
        self._rows.extend(rows)

    @property
    def cards(self) -> tuple[Card, ...]:
        """The session's cards that ask something, as this decision has left them so far."""
        changed = {(row.session_id, row.key): row for row in self._rows if isinstance(row, Card)}
        latest = (changed.get((each.session_id, each.key), each) for each in self.view.cards)
        return tuple(each for each in latest if each.buttons)

    def human_act(self) -> None:
        """A person did something here: the idle clock starts anew. What they closed stays closed."""
        self.session = replace(
            self.session,
            last_human_ms=self.now_ms,
            phase=Phase.CLOSED if self.session.phase is Phase.CLOSED else Phase.ACTIVE,
            retention_told_ms=None,
            retention_told_up_ms=None,
        )

    def interrupt(self, effect_id: str) -> None:
        """End a running effect after the commit."""
        self._stops.append(effect_id)

    def postpone(self, due_ms: int) -> None:
        """Look at the session again at `due_ms`, later than its row says."""
        self._postponed_ms = due_ms

    def set_work(self, work: Work) -> None:
        """A task and its steps as they shall be."""
        before = self.works.get(work.task.id, Work(task=work.task))
        self.works[work.task.id] = work
        left = {each.id for each in work.steps}
        gone = tuple(each.id for each in before.steps if each.id not in left)
        if gone:
            self.put(Forgotten(steps=gone))
        self.put(work.task, *(each for each in work.steps if each not in before.steps))

    def at_last(self, name: str, deed: Callable[[], None]) -> None:
        """Do it once, when everything else is decided."""
        self._last[name] = deed

    def done(self, reply: Reply | None = None, *, received: int = 0) -> Decision:
        """The decision: all rows, then the session and the spends as they ended."""
        for deed in self._last.values():
            deed()
        due_ms = self._postponed_ms or next_due(self.session, self.view.policy)
        if due_ms is not None:
            due_ms = min(due_ms, self.now_ms + RING_MAX_MS)
        self.session = replace(self.session, due_ms=due_ms)
        spends = tuple(each for each in self.spends if each not in self.view.spends)
        return Decision(
            changes=(self.session, *self._rows, *spends),
            reply=reply or Nothing(),
            received=received,
            stop=tuple(self._stops),
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
            tokens=weigh(each.text, each.files),
            turn_id=turn_id,
            note=self.session.unsaid,
            files=each.files,
        )
        self.session = replace(self.session, unsaid="")
        self.add(message)
        return message

    def add(self, message: Message) -> None:
        """A message enters the history under the session's next seq."""
        self.put(message)
        self.session = replace(
            self.session,
            next_seq=self.session.next_seq + 1,
            tokens=self.session.tokens + message.tokens,
            title=self.session.title or title_of(message.text),
        )

    def put_again(self, message: Message) -> None:
        """A message takes the place of an earlier form of itself, whose tokens `reopen` has taken off."""
        self.put(message)
        self.session = replace(self.session, tokens=self.session.tokens + message.tokens)

    def reopen(self, turn: Turn) -> Turn:
        """A turn that had failed is open again; its partial answer counts anew when it is stored anew."""
        if turn.answer_seq is not None:
            stored = estimate(after(turn.before, turn.said)) + turn.round_tokens
            tokens = max(self.session.tokens - stored, 0)
            self.session = replace(self.session, tokens=tokens)
        return replace(turn, state=TurnState.OPEN, failure="", stalls=0, stripped=False, cost=0)

    def wait(self, message: Waiting) -> None:
        """The message waits for the next turn; its author sees that it was seen."""
        self.put(message)
        if message.ref:
            mark = Mark(platform=message.asker.platform, ref=message.ref, mark=MarkKind.SEEN)
            self.effect(mark, deadline_ms=self.now_ms + MARK_LIFE_MS)

    # --------------------------------------------------------------------------------------- turns

    def open_turn(self, waiting: Sequence[Waiting], *, pause_ms: int, read_thread: bool = False) -> Turn:
        """A turn that answers `waiting` (at least one), asked after `pause_ms`.

        It waits for its files, for a summary that is being written, and for the thread when that is to be read.
        """
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
            level=Level.SUMMARY if self.session.level is Level.SUMMARY else Level.FULL,
            model=self.view.policy.model,
            task_id=waiting[-1].task_id,
        )
        waits = (*self.fetch(waiting), *self._summaries())
        if read_thread:
            read = ReadThread(turn_id=turn_id)
            waits = (*waits, self.effect(read, deadline_ms=self.now_ms + READ_THREAD_MS))
        turn = self.ask(turn, not_before_ms=self.now_ms + pause_ms, waits=waits)
        self.put(turn)
        self.deliver(turn, not_before_ms=self.now_ms + pause_ms)
        return turn

    def ask(self, turn: Turn, *, not_before_ms: int, waits: tuple[str, ...] = ()) -> Turn:
        """Ask the model for `turn`; it comes back as it was, or FAILED when today's budget cannot pay."""
        tokens = budget.STEP_TOKENS if turn.step_id else self.session.tokens
        effect = AskModel(
            turn_id=turn.id,
            reserved=budget.price_of_turn(self.view.policy, tokens, turn.round_tokens),
            accounts=budget.accounts_of(self.session),
            day=budget.day_of(self.now_ms),
            share="task" if turn.step_id else "",
        )
        failure = budget.over_limit(self.view.policy, self.spends, effect)
        if failure:
            return replace(turn, state=TurnState.FAILED, failure=failure)
        self.spends = budget.merged(self.spends, budget.reserve(self.spends, effect))
        deadline_ms = self.now_ms + self.view.policy.model_deadline_ms
        self.effect(effect, not_before_ms=not_before_ms, deadline_ms=deadline_ms, waits=waits)
        return turn

    def deliver(self, turn: Turn, *, not_before_ms: int = 0) -> None:
        """Show the answer of `turn` in its place, from then until it is final.

        Not before a burst of messages has ended: the answer stands below all that it answers.
        """
        self.delivery = self.effect(
            Deliver(turn_id=turn.id),
            not_before_ms=not_before_ms,
            order_key=f"answer:{turn.session_id}",
            waits=self._before_answer,
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

    def _summaries(self) -> tuple[str, ...]:
        """Summaries that are being written, when this session goes on from one."""
        if self.session.level is not Level.SUMMARY or self.session.summary_id:
            return ()
        rows = (*self.view.open_effects, *(each for each in self._rows if isinstance(each, EffectRow)))
        return tuple(each.id for each in rows if isinstance(each.effect, Summarize))

    def next_turn(self) -> None:
        """What waited while an answer was running becomes the next turn, at once."""
        ready = _together([each for each in self.view.waiting if not each.held])
        if ready:
            self.put(Forgotten(waiting=tuple(each.id for each in ready)))
            self.open_turn(ready, pause_ms=0)

    def settle(self, usage: Usage) -> None:
        """Pay for the model call that this event finishes."""
        self._pay(self.view.finishing, usage)

    def book(self, usage: Usage) -> None:
        """Pay for a small call that was not reserved: a summary."""
        unreserved = AskModel(turn_id="", accounts=budget.accounts_of(self.session), day=budget.day_of(self.now_ms))
        rows = budget.merged(self.spends, budget.reserve(self.spends, unreserved))
        self.spends = budget.merged(rows, budget.settle(rows, unreserved, usage))

    def give_back(self, row: EffectRow) -> None:
        """A model call that will never be made gives its reservation back."""
        self._pay(row, Usage())

    def _pay(self, row: EffectRow | None, usage: Usage) -> None:
        if row is not None and isinstance(row.effect, AskModel):
            self.spends = budget.merged(self.spends, budget.settle(self.spends, row.effect, usage))

    # --------------------------------------------------------------------------- cards and effects

    def new_card(
        self,
        key: str,
        text: str,
        buttons: Sequence[Button] = (),
        *,
        place: Place | None = None,
        recipient: PersonKey | None = None,
    ) -> Card:
        """A card of this session that does not stand yet; where the conversation lives unless a place is named.

        With a `recipient` it is shown in this person's private place, where there is one.
        """
        return Card(
            id=self.stamp.ulid(f"card:{key}"),
            session_id=self.session.id,
            key=key,
            place=place or self.session.home.place,
            text=text,
            buttons=tuple(buttons),
            created_ms=self.now_ms,
            recipient=recipient,
        )

    def card(self, card: Card) -> None:
        """The card changes (or is new); one pending or running ShowCard brings it up to date."""
        self.put(card)
        showing = any(
            isinstance(each.effect, ShowCard) and (each.session_id, each.effect.card_key) == (card.session_id, card.key)
            for each in self.view.open_effects
        )
        if not showing:
            self.show(card)

    def first(self, card: Card) -> None:
        """A new card that has to be read before the answer that this decision may begin."""
        self.put(card)
        self._before_answer = (self.show(card),)

    def show(self, card: Card) -> str:
        """Bring the card up to its wanted version; once in a decision. Returns the effect, "" when it is under way."""
        if (card.session_id, card.key) in self._showing:
            return ""
        self._showing.add((card.session_id, card.key))
        paced = card.key.startswith(PACED) and card.wanted_version > 1
        return self.effect(
            ShowCard(card_key=card.key),
            not_before_ms=self.now_ms + PACE_MS if paced else 0,
            order_key=f"card:{card.place}",
            deadline_ms=self.now_ms + self.view.policy.platform_deadline_ms,
            session_id=card.session_id,
        )

    def effect(
        self,
        effect: Effect,
        *,
        not_before_ms: int = 0,
        deadline_ms: int | None = None,
        order_key: str = "",
        waits: tuple[str, ...] = (),
        session_id: str = "",
    ) -> str:
        """A new effect, pending, of this session unless another is named; returns its id."""
        self._effects += 1
        row = EffectRow(
            id=self.stamp.ulid(f"effect:{self._effects}"),
            session_id=session_id or self.session.id,
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


def _together(waiting: Sequence[Waiting]) -> tuple[Waiting, ...]:
    """The first of what waits that one turn answers: words of people together, the answer of a task alone."""
    if waiting and waiting[0].task_id:
        return tuple(waiting[:1])
    words = itertools.takewhile(lambda each: not each.task_id, waiting)
    return tuple(words)
