"""Stories of people, models and platforms, told at random: a Hypothesis machine over the tiny store.

Knows: what may happen in which order, and what must be true whatever happens. Must not know: how rules decide.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from core.domain.decision import Policy
from core.domain.effects import (
    AskModel,
    CallTool,
    Deliver,
    Erase,
    FetchFile,
    Mark,
    ReadThread,
    RefreshCredential,
    ShowCard,
    Summarize,
)
from core.domain.entities import EffectRow, EffectState, Phase, Role, TurnState
from core.domain.events import (
    Address,
    CardShown,
    CaughtUp,
    Delivered,
    EffectDone,
    EffectRefused,
    EffectStumbled,
    EffectWaits,
    FileFetched,
    HistoryLost,
    ModelBusy,
    ModelCut,
    ModelRefused,
    ModelReplied,
    ModelStopped,
    Outcome,
    Usage,
)
from core.domain.keys import PersonKey, Place
from core.domain.rules.attempts import DIED
from core.domain.rules.budget import day_of
from tests.domain.builders import ALICE, BOB, PICTURE, THREAD, issued, pressed, said
from tests.domain.tiny import OPEN_TURNS, Check, Tiny

T = TypeVar("T")

WHO = st.sampled_from([ALICE, BOB])
ADDRESS = st.sampled_from([Address.DIRECT, Address.DIRECT, Address.DIRECT, *Address])
SELDOM = st.sampled_from([False, False, False, True])
VERBS = st.sampled_from(["stop", "again", "again", "answer_all", "answer_last", "ignore"])
TIMES = st.sampled_from([700, 700, 700, 1, 5_000, 60_000, 20 * 60_000, 9 * 3_600_000])
WHERE = st.sampled_from([THREAD, Place(platform="local", workspace="home", channel="general", thread="t2")])
PICK = st.integers(0, 10**6)
TEXTS = st.sampled_from(["", "\n", "The quick brown fox ", "fox ", "jumps over the lazy dog. "])
MODEL = st.sampled_from(
    ["reply", "reply", "reply", "long", "empty", "refusal", "cut", "silent", "drain", "busy", "no", "bound", "lost"]
)
OUTSIDE = st.sampled_from(["done", "done", "done", "waits", "stumbles", "refused"])
USED = Usage(tokens_in=10, tokens_out=5, cost=90_000)
STEPS_TO_THE_END = 400


def pick(from_: Sequence[T], at: int) -> T:
    """One of several, chosen by a number that Hypothesis can make smaller."""
    return from_[at % len(from_)]


class Story(RuleBasedStateMachine):
    """Everything that may happen between one person's word and the last letter of the answer."""

    def __init__(self) -> None:
        super().__init__()
        self.tiny = Tiny(Policy())
        self.said = 0
        self.refs: list[str] = []
        self.finished: list[tuple[Outcome, EffectRow]] = []
        self.uneven: set[str] = set()  # sessions whose tokens are not the sum of their messages any more

    def check(self) -> Check | None:
        """What sees every decision."""
        return None

    @initialize(shared=st.booleans(), budget=st.sampled_from([None, 1_000_000, 350_000]), who=WHO)
    def begin(self, *, shared: bool, budget: int | None, who: PersonKey) -> None:
        """A new product with its settings, and a first message."""
        policy = Policy(shared_threads=shared, budget_person_day=budget)
        self.tiny = Tiny(policy, self.check())
        self.say(who, THREAD, Address.DIRECT, away=False, picture=False)

    # ------------------------------------------------------------------------------------------- people

    @rule(who=WHO, where=WHERE, address=ADDRESS, away=SELDOM, picture=SELDOM)
    def say(self, who: PersonKey, where: Place, address: Address, *, away: bool, picture: bool) -> None:
        """Somebody writes, now or while we were away; the platform delivers it twice."""
        self.said += 1
        ref = f"m{self.said}"
        files = (PICTURE,) if picture else ()
        event = said(f"words {ref}", by=who, place=where, address=address, ref=ref, caught_up=away, files=files)
        decision = self.tiny.accept(event)
        assert decision is not None
        if decision.received:
            self.refs.append(ref)
        assert self.tiny.accept(event) is None

    @rule(who=WHO, at=PICK, verb=VERBS)
    def press(self, who: PersonKey, at: int, verb: str) -> None:
        """Somebody presses a button, an old one or a wrong one perhaps."""
        fitting = self.tiny.turns if verb in ("stop", "again") else self.tiny.cards
        subjects = list(fitting) or [*self.tiny.turns, *self.tiny.cards] or ["nothing"]
        self.said += 1
        event = replace(pressed(verb, pick(subjects[-3:], at), by=who), source_keys=(f"press:{self.said}",))
        assert self.tiny.accept(event) is not None
        assert self.tiny.accept(event) is None

    @rule(who=WHO, where=WHERE, name=st.sampled_from(["new", "stop", "help", "dance"]))
    def command(self, who: PersonKey, where: Place, name: str) -> None:
        """Somebody issues a command."""
        self.said += 1
        event = replace(issued(name, by=who), place=where, source_keys=(f"command:{self.said}",))
        assert self.tiny.accept(event) is not None

    # ------------------------------------------------------------------------------------------ our side

    @rule(ms=TIMES, at=PICK, how=MODEL, text=TEXTS)
    def model_works(self, ms: int, at: int, how: str, text: str) -> None:
        """Time passes, what is due begins, and a model call ends, one way or the other."""
        self.pass_time(ms)
        if calls := self.calls():
            row = pick(calls, at)
            self.finish(self.ending(row, how, text), row)

    @rule(ms=TIMES, at=PICK, how=OUTSIDE)
    def platform_works(self, ms: int, at: int, how: str) -> None:
        """Time passes, what is due begins, and a call to a platform ends, one way or the other."""
        self.pass_time(ms)
        if others := [row for row in self.tiny.started() if not isinstance(row.effect, AskModel)]:
            row = pick(others, at)
            if (outcome := self.outcome(row, how)) is not None:
                self.finish(outcome, row)

    @rule(at=PICK)
    def end_again(self, at: int) -> None:
        """A performer that was given up comes back with a result."""
        if self.finished:
            outcome, row = pick(self.finished, at)
            assert self.tiny.accept(outcome, row) is None

    @rule(away=st.lists(WHO, max_size=3), where=WHERE)
    def crash(self, away: list[PersonKey], where: Place) -> None:
        """The process dies and starts again; people have written meanwhile."""
        self.tiny.boot += 1
        for row in self.tiny.started():
            if isinstance(row.effect, AskModel):
                self.finish(ModelCut(turn_id=row.effect.turn_id, text="Drafted ", code=DIED), row)
            else:
                self.finish(EffectStumbled(session_id=row.session_id, code=DIED), row)
        for who in away:
            self.say(who, where, Address.DIRECT, away=True, picture=False)
        for session_id in list(self.tiny.sessions):
            self.tiny.accept(CaughtUp(session_id=session_id))

    def pass_time(self, ms: int) -> None:
        """Time passes, over midnight perhaps, and what is due begins."""
        self.tiny.now_ms += ms
        for row in self.tiny.ready():
            self.tiny.start(row)

    # ------------------------------------------------------------------------------------------- endings

    def calls(self) -> list[EffectRow]:
        """The model calls that run."""
        return [row for row in self.tiny.started() if isinstance(row.effect, AskModel)]

    def finish(self, outcome: Outcome, row: EffectRow) -> None:
        """An outcome is taken, once."""
        assert self.tiny.accept(outcome, row) is not None
        self.finished.append((outcome, row))

    def ending(self, row: EffectRow, how: str, text: str) -> Outcome:
        """How a model call ends."""
        assert isinstance(row.effect, AskModel)
        turn = self.tiny.turns[row.effect.turn_id]
        if turn.state is TurnState.STOPPING and how not in ("busy", "cut", "reply", "bound", "lost"):
            return ModelStopped(turn_id=turn.id, text=text)
        match how:
            case "reply" | "long" | "empty" | "refusal":
                return self.reply(turn.id, how, text)
            case "cut" | "silent" | "drain":
                return ModelCut(turn_id=turn.id, text=text, code=f"model_{how}", blameless=how == "drain")
            case "busy":
                return ModelBusy(turn_id=turn.id, code="model_busy")
            case "lost":
                self.uneven.add(turn.session_id)
                return HistoryLost(turn_id=turn.id)
            case _:
                return ModelRefused(turn_id=turn.id, code="model_auth" if how == "no" else "model_bound_thinking")

    def reply(self, turn_id: str, how: str, text: str) -> ModelReplied:
        """The model finished."""
        reason = {"long": "max_tokens", "refusal": "refusal"}.get(how, "end_turn")
        if how == "refusal":
            self.uneven.add(self.tiny.turns[turn_id].session_id)
        return ModelReplied(
            turn_id=turn_id,
            text="" if how == "empty" else text + "The end.",
            blocks="[]",
            prefix="p1",
            stop_reason=reason,
            model="m",
            usage=USED,
        )

    def outcome(self, row: EffectRow, how: str) -> Outcome | None:
        """How a call to a platform ends; None while an answer is still followed."""
        match how:
            case "waits":
                return EffectWaits(session_id=row.session_id, code="busy")
            case "stumbles":
                return EffectStumbled(session_id=row.session_id, code="cut")
            case "refused":
                return EffectRefused(session_id=row.session_id, code="no")
            case _:
                return self.success(row)

    def success(self, row: EffectRow) -> Outcome | None:
        """What a platform call brings when all goes well."""
        match row.effect:
            case Deliver(turn_id=turn_id):
                final = self.tiny.turns[turn_id].state not in OPEN_TURNS
                return Delivered(turn_id=turn_id, parts=()) if final else None
            case ShowCard(card_key=key):
                version = next(card.wanted_version for card in self.tiny.cards.values() if card.key == key)
                return CardShown(session_id=row.session_id, card_key=key, version=version, ref="r")
            case FetchFile(file_id=file_id):
                return FileFetched(session_id=row.session_id, file_id=file_id, media_type="image/png", data="")
            case Mark() | AskModel() | ReadThread() | Summarize() | Erase() | CallTool() | RefreshCredential():
                return EffectDone(session_id=row.session_id)

    # ---------------------------------------------------------------------------------- what is always true

    @invariant()
    def one_answer_at_a_time(self) -> None:
        """At most one open turn in a session, and exactly one open call for it."""
        turns = [turn for turn in self.tiny.turns.values() if turn.state in OPEN_TURNS]
        assert len({turn.session_id for turn in turns}) == len(turns)
        calls = [row.effect.turn_id for row in self.tiny.open_effects() if isinstance(row.effect, AskModel)]
        assert sorted(calls) == sorted(turn.id for turn in turns)

    @invariant()
    def nothing_is_lost_or_doubled(self) -> None:
        """Every message that was received is in the history or waits, once."""
        kept = [message.ref for message in self.tiny.messages.values() if message.role is Role.USER]
        kept += [waiting.ref for waiting in self.tiny.waiting.values()]
        assert Counter(kept) == Counter(self.refs)
        assert self.tiny.received == len(self.refs)

    @invariant()
    def what_waits_waits_for_something(self) -> None:
        """A message waits only for a running answer or for a choice."""
        for waiting in self.tiny.waiting.values():
            running = [t for t in self.tiny.turns_of(self.tiny.sessions[waiting.session_id]) if t.state in OPEN_TURNS]
            assert waiting.held or running

    @invariant()
    def histories_are_dense(self) -> None:
        """Seqs are 1, 2, 3 ... and a turn's messages are its own."""
        for session in self.tiny.sessions.values():
            seqs = [seq for owner, seq in self.tiny.messages if owner == session.id]
            assert sorted(seqs) == list(range(1, session.next_seq))
            for turn in self.tiny.turns_of(session):
                asked = [self.tiny.messages[session.id, seq] for seq in range(turn.first_seq, turn.last_seq + 1)]
                assert {message.turn_id for message in asked} == {turn.id}
                assert {message.role for message in asked} == {Role.USER}
                if turn.answer_seq is not None:
                    assert turn.answer_seq > turn.last_seq
                    assert self.tiny.messages[session.id, turn.answer_seq].turn_id == turn.id

    @invariant()
    def tokens_are_counted(self) -> None:
        """A session's tokens are the sum of its messages, a partial answer that goes on left out."""
        for session in self.tiny.sessions.values():
            if session.id in self.uneven:
                continue
            going_on = {turn.answer_seq for turn in self.tiny.turns_of(session) if turn.state in OPEN_TURNS}
            counted = [
                message.tokens
                for (owner, seq), message in self.tiny.messages.items()
                if owner == session.id and seq not in going_on
            ]
            assert session.tokens == sum(counted)

    @invariant()
    def every_turn_is_shown(self) -> None:
        """An open turn is being delivered, a final one is or was, unless the platform said no."""
        delivered: defaultdict[str, set[EffectState]] = defaultdict(set)
        for row in self.tiny.effects.values():
            if isinstance(row.effect, Deliver):
                delivered[row.effect.turn_id].add(row.state)
        for turn in self.tiny.turns.values():
            enough = {EffectState.PENDING, EffectState.STARTED, EffectState.FAILED}
            if turn.state not in OPEN_TURNS:
                enough.add(EffectState.DONE)
            assert enough & delivered[turn.id]

    @invariant()
    def money_is_reserved_for_open_calls_only(self) -> None:
        """What is reserved today is what today's open calls have reserved."""
        held: Counter[tuple[str, str]] = Counter()
        for row in self.tiny.open_effects():
            if isinstance(row.effect, AskModel):
                for account in row.effect.accounts:
                    held[account, row.effect.day] += row.effect.reserved
        today = day_of(self.tiny.now_ms)
        for key, spend in self.tiny.spends.items():
            if key[1] == today:
                assert spend.reserved == held[key]
            else:
                assert spend.reserved >= held[key]  # Stop after midnight leaves a day that is over as it is
        limit = self.tiny.policy.budget_person_day
        for spend in self.tiny.spends.values():
            if limit is not None and spend.account.startswith("person:") and not spend.settled:
                assert spend.reserved <= limit

    @invariant()
    def cards_get_shown(self) -> None:
        """A card that is behind is being shown, unless the platform said no."""
        for card in self.tiny.cards.values():
            rows = [
                row
                for row in self.tiny.effects.values()
                if isinstance(row.effect, ShowCard)
                and (row.session_id, row.effect.card_key) == (card.session_id, card.key)
            ]
            open_rows = [row for row in rows if row.state in (EffectState.PENDING, EffectState.STARTED)]
            assert len(open_rows) <= 1
            failed = any(row.state is EffectState.FAILED for row in rows)
            assert open_rows or failed or card.shown_version == card.wanted_version

    # ------------------------------------------------------------------------------------- and in the end

    def teardown(self) -> None:
        """When the outside behaves, everything comes to its end."""
        for _ in range(STEPS_TO_THE_END):
            if not self.tiny.open_effects():
                break
            self.tiny.now_ms = max(
                [self.tiny.now_ms, min((row.not_before_ms for row in self.tiny.open_effects()), default=0)]
            )
            self.start_everything_and_end_it()
        assert not self.tiny.open_effects()
        assert not [turn for turn in self.tiny.turns.values() if turn.state in OPEN_TURNS]
        assert all(waiting.held for waiting in self.tiny.waiting.values())
        for session in self.tiny.sessions.values():
            assert session.phase in (Phase.ACTIVE, Phase.CLOSED)
        self.one_answer_at_a_time()
        self.nothing_is_lost_or_doubled()
        self.histories_are_dense()
        self.every_turn_is_shown()

    def start_everything_and_end_it(self) -> None:
        """One round in which everything goes well."""
        for row in self.tiny.ready():
            self.tiny.start(row)
        for row in self.tiny.started():
            well = self.ending(row, "reply", "") if isinstance(row.effect, AskModel) else self.success(row)
            if well is not None:
                self.finish(well, row)
        self.tiny.now_ms += 1_000
