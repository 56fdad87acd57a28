"""A decision in the making: the few moves that all rules share.

Knows: how messages enter a session, how a turn is opened, how the model is asked and paid.
Must not know: why, or how rows are collected (see `gathering`). The rules decide; this file keeps seqs, tokens, money
and effects consistent while they do.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from dataclasses import replace

from core.domain.effects import AskModel, Deliver, FetchFile, Mark, MarkKind, ReadThread, Summarize
from core.domain.entities import (
    EffectRow,
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
from core.domain.keys import SessionKey
from core.domain.rules import budget
from core.domain.rules.gathering import Gathering
from core.domain.rules.stitch import after
from core.domain.rules.titles import retitled
from core.domain.stamp import Stamp
from core.domain.tokens import estimate, weigh

READ_THREAD_MS = 20_000  # nobody waits longer for an answer because a thread cannot be read
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


class Making(Gathering):
    """The moves that all rules share, over the rows that they make."""

    def human_act(self) -> None:
        """A person did something here: the idle clock starts anew. What they closed stays closed."""
        self.session = replace(
            self.session,
            last_human_ms=self.now_ms,
            phase=Phase.CLOSED if self.session.phase is Phase.CLOSED else Phase.ACTIVE,
            retention_told_ms=None,
            retention_told_up_ms=None,
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
            title=retitled(self.session.title, message.text) if message.role is Role.USER else self.session.title,
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
        effect = self._call_for(turn)
        failure = budget.over_limit(self.view.policy, self.spends, effect)
        if failure:
            return replace(turn, state=TurnState.FAILED, failure=failure)
        self.spends = budget.merged(self.spends, budget.reserve(self.spends, effect))
        deadline_ms = self.now_ms + self.view.policy.model_deadline_ms
        self.effect(effect, not_before_ms=not_before_ms, deadline_ms=deadline_ms, waits=waits)
        return turn

    def unpaid(self, turn: Turn) -> str:
        """The code of the budget that cannot pay a call for `turn` now, "" when all can."""
        return budget.over_limit(self.view.policy, self.spends, self._call_for(turn)) or ""

    def _call_for(self, turn: Turn) -> AskModel:
        results = self.works[turn.task_id].steps if turn.task_id in self.works else ()
        tokens = self.session.tokens + sum(each.tokens for each in results)
        if turn.step_id:
            tokens = budget.STEP_TOKENS
        return AskModel(
            turn_id=turn.id,
            reserved=budget.price_of_turn(self.view.policy, tokens, turn.round_tokens),
            accounts=budget.accounts_of(self.session),
            day=budget.day_of(self.now_ms),
            share="task" if turn.step_id else "",
        )

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

    def next_turn(self, but: Collection[str] = ()) -> None:
        """What waited while an answer was running, `but` for some, becomes the next turn, at once."""
        ready = _together([each for each in self.view.waiting if not each.held and each.id not in but])
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


def _together(waiting: Sequence[Waiting]) -> tuple[Waiting, ...]:
    """The first of what waits that one turn answers: words of people together, the answer of a task alone."""
    if waiting and waiting[0].task_id:
        return tuple(waiting[:1])
    words = itertools.takewhile(lambda each: not each.task_id, waiting)
    return tuple(words)
