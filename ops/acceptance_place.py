"""Where cases are played: an installation that is up, its door for clients, and the partner's side.

`Place.play` does the steps of a case, `Place.observe` gathers afterwards what is to be judged. On a stage with
simulated centres many cases are played at once, on a real line one after the other.
"""

import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import assert_never

from acceptance.cards import CARDS, Plastic
from acceptance.cases import (
    AnyStep,
    AskStep,
    AwaitStep,
    Case,
    CheckStep,
    ConfirmStep,
    DrillStep,
    EventStep,
    InquireStep,
    Manner,
    OrderStep,
    PartnerStep,
)
from acceptance.deeds import Words
from acceptance.record import Done, Observation, Side, StepDone, Telegram, Told
from acceptance.telling import LOOKS, told_step
from client import Card, ClientError, SyncClient
from ops import acceptance_topics as topics
from ops.acceptance_looks import Looks
from ops.acceptance_people import Answer, Person
from ops.acceptance_sides import OperatorSide, SimulatedSide
from ops.player import Stranger, end_of, told_by
from ops.times import now_ms
from pipeline.log import LogError
from schemas.identity import transaction_id
from schemas.installation import Installation
from schemas.telegrams import PartnerSpec
from schemas.wire import RecordError
from simulator.control import ControlError

_LOOK_S = 0.05
_SPARE_S = 15.0
_SETTLE_S = 5.0
Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Customer:
    """Whose requests the test client makes, and where."""

    door: Address
    name: str
    token: str
    tls: ssl.SSLContext | None = None


@dataclass(slots=True)
class Play:
    """A case as it is played."""

    case: Case
    terminal: str
    stamp: str  # makes its references new
    since: int  # the last telegram that passed before it
    started_ms: int
    ended_ms: int = 0
    steps: list[StepDone] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    output: list[str] = field(default_factory=list)
    strangers: list[Stranger] = field(default_factory=list)
    transactions: dict[str, str] = field(default_factory=dict)  # by id: the name of its request

    def reference(self, ask: AskStep | None, name: str, number: int = 0) -> str:
        """The reference of a request; those of several at once are numbered."""
        whose = name if ask is None or ask.reference_of is None else ask.reference_of
        return f"{self.case.id}.{self.stamp}.{whose}" + (f".{number}" if number else "")

    @property
    def stopped(self) -> bool:
        """Whether a step was not as it should be: those after it would show nothing."""
        return bool(self.steps) and self.steps[-1].done is not Done.DONE


class Place:
    """One partner of one installation. `terminals` gives each case its terminal; `drill` runs a drill, if it can."""

    def __init__(
        self, installation: Installation, partner: PartnerSpec, side: SimulatedSide | OperatorSide, customer: Customer,
        person: Person, *, terminals: Callable[[], str], cards: Mapping[str, Plastic] = CARDS,
        drill: Callable[[DrillStep], tuple[bool, str]] | None = None,
    ) -> None:  # fmt: skip
        self.partner = partner
        self.lines = [line.name for line in installation.line if partner.name in line.partners]
        self.person = person
        self.cards = cards
        self.looks = Looks(installation, partner.name, self.lines)
        self._installation = installation
        self._side = side
        self._customer = customer
        self._terminals = terminals
        self._drill = drill
        settings = installation.partner_named(partner.name)
        cancel = settings.cancel
        self.counts = {
            "lines": len(self.lines), "recommands": cancel.commands_max - 1, "troubles": cancel.troubles_max
        }  # fmt: skip
        self._limit_s = _SPARE_S + 1e-3 * (
            settings.send_window_ms
            + 2 * settings.report_timeout_ms
            + cancel.commands_max * (cancel.report_timeout_ms + cancel.silence_pause_ms)
            + cancel.troubles_max * cancel.trouble_pause_ms
        )
        self._client = SyncClient(customer.door, customer=customer.name, token=customer.token, tls=customer.tls)

    @property
    def side(self) -> Side:
        """From whose side telegrams are seen."""
        return self._side.side

    def close(self) -> None:
        """End the test client's session."""
        self._client.close(5)

    # --- playing

    def play(self, case: Case) -> Play:
        """Do the steps of a case until one is not as it should be. Raises `Ended`."""
        ready = not case.alone or self._awaited(lambda: self.looks.lines_are(wanted_open=True))
        since = self._side.refresh() if isinstance(self._side, SimulatedSide) else 0
        began = now_ms()
        play = Play(case, self._terminals(), _base36(began // 100), since, began)
        if not ready:
            play.steps.append(
                StepDone(done=Done.FAILED, at_ms=began, ja="前提：全回線が開局", en="before: every line open")
            )
        try:
            for step in case.steps:
                if not play.stopped:
                    self._step(play, step)
            if not play.stopped:
                self._await_telegrams(play)
                self._await_ends(play)
        finally:
            for stranger in play.strangers:
                stranger.close()
        self._side.restore(case, play.terminal)
        play.ended_ms = now_ms()
        return play

    def _step(self, play: Play, step: AnyStep) -> None:
        words = told_step(step, self.partner)
        began = now_ms()
        try:
            done, remark, by = self._done(play, step)
        except (ControlError, LogError, RecordError, ClientError, OSError) as error:
            done, remark, by = Done.FAILED, f"{type(error).__name__}: {error}", None
        play.steps.append(StepDone(done=done, at_ms=began, ja=words.ja, en=words.en, remark=remark, by=by))

    def _done(self, play: Play, step: AnyStep) -> tuple[Done, str, str | None]:
        match step:
            case PartnerStep():
                return self._side.behave(play.case, play.terminal, step)
            case EventStep():
                return self._side.happen(step)
            case AskStep():
                return self._ask(play, step)
            case InquireStep():
                return self._inquire(play, step)
            case OrderStep():
                failed = self.looks.order(step.order, self.person.name, f"{play.case.id} acceptance")
                return (Done.DONE, "", None) if failed is None else (Done.FAILED, failed, None)
            case AwaitStep():
                there = self._awaited(lambda: self.looks.lines_are(step.lines == "open"))
                return (
                    (Done.DONE, "", None) if there else (Done.FAILED, f"{self._limit_s:g} s 待っても変わらない", None)
                )
            case CheckStep():
                holds, told = self.looks.look(step.look)
                play.output.append(f"{LOOKS[step.look].ja}  {LOOKS[step.look].en}\n{told}")
                return Done.DONE if holds else Done.FAILED, told.splitlines()[0] if told else "", None
            case ConfirmStep():
                said = self.person.ask(told_step(step, self.partner))
                how = {Answer.YES: Done.DONE, Answer.NO: Done.FAILED, Answer.CANNOT: Done.NOT_DONE}
                return how[said.answer], said.remark, self.person.name
            case DrillStep():
                return self._drilled(play, step)
            case _:
                assert_never(step)

    def _drilled(self, play: Play, step: DrillStep) -> tuple[Done, str, str | None]:
        if self._drill is None:
            return Done.NOT_DONE, "開発環境でのみ実行する  only on the development server", None
        good, told = self._drill(step)
        play.output.append(told)
        return (Done.DONE, "", None) if good else (Done.FAILED, "訓練の結果を参照  see what the drill said", None)

    # --- the client

    def _ask(self, play: Play, step: AskStep) -> tuple[Done, str, str | None]:
        if step.card not in self.cards:
            return Done.NOT_DONE, f"カード {step.card} の指定なし（--cards） no such card given", None
        numbers = range(1, step.count + 1) if step.count > 1 else (0,)
        with ThreadPoolExecutor(step.count) as pool:
            play.told += pool.map(lambda number: self._asked(play, step, number), numbers)
        return Done.DONE, "", None

    def _asked(self, play: Play, step: AskStep, number: int) -> Told:
        card = self.cards[step.card]
        reference = play.reference(step, step.name, number)
        original = None if step.follows is None else play.reference(None, step.follows)
        play.transactions.setdefault(transaction_id(self._customer.name, reference, original), step.name)
        request = {
            "reference": reference, "kind": str(step.kind), "terminal_id": play.terminal, "amount": step.amount,
            "card": Card(number=card.number, expiry=card.expiry), "payment_method": "10",
            "original_reference": original, "security_code": card.security_code if step.security_code else None,
        }  # fmt: skip
        at_once: str | None = None
        if step.manner is Manner.WAITS:
            at_once = told_by(self._client, request)
        else:
            stranger = Stranger(self._customer.door, self._customer.name, self._customer.token, self._customer.tls)
            stranger.ask(request)
            if step.manner is Manner.MUTE:
                play.strangers.append(stranger)
            else:
                stranger.close()
            if step.manner is Manner.RETURNS:
                at_once = end_of(self._client, reference, original, self._limit_s)
        return Told(
            name=step.name, kind=str(step.kind), reference=reference, amount=step.amount, at_once=at_once, at_last=None
        )  # fmt: skip

    def _inquire(self, play: Play, step: InquireStep) -> tuple[Done, str, str | None]:
        (ask,) = [each for each in play.case.asks if each.name == step.name][:1]
        reference = play.reference(None, step.name)
        original = None if ask.follows is None else play.reference(None, ask.follows)
        told = end_of(self._client, reference, original, self._limit_s)
        play.told.append(
            Told(name=step.name, kind="inquiry", reference=reference, amount=ask.amount, at_once=told, at_last=None)
        )
        return Done.DONE, "", None

    def _await_ends(self, play: Play) -> None:
        """Hear what became of each request; and the partner's word on it, for the evidence."""
        steps = {step.name: step for step in play.case.asks}
        for at, told in enumerate(play.told):
            step = steps[told.name]
            if told.kind == "inquiry" or step.ends is None:
                continue
            original = None if step.follows is None else play.reference(None, step.follows)
            end = end_of(self._client, told.reference, original, self._limit_s)
            codes = self._codes(told.reference, original)
            play.told[at] = Told(
                name=told.name, kind=told.kind, reference=told.reference, amount=told.amount, at_once=told.at_once,
                at_last=end, approval_code=codes[0], result_code=codes[1], error_code=codes[2],
            )  # fmt: skip

    def _codes(self, reference: str, original: str | None) -> tuple[str | None, str | None, str | None]:
        try:
            result = self._client.inquire(reference, original_reference=original, wait_ms=5_000)
        except ClientError:
            return None, None, None
        return result.approval_code, result.result_code, result.error_code

    # --- waiting

    def _await_telegrams(self, play: Play) -> None:
        """Until as many telegrams have passed as are expected, where they can be seen as they pass."""
        side = self._side
        if isinstance(side, SimulatedSide) and side.side is Side.PARTNER:
            wanted = sum(each.times.number(self.counts) for each in play.case.telegrams)
            self._awaited(lambda: len(side.rows_of(play.case, play.terminal, play.since)) >= wanted)

    def _awaited(self, found: Callable[[], bool]) -> bool:
        until = time.monotonic() + self._limit_s
        while not found():
            if time.monotonic() > until:
                return False
            time.sleep(_LOOK_S)
        return True

    # --- observing

    def observe(self, plays: Sequence[Play]) -> list[Observation]:
        """What is to be judged of each. Raises `LogError`, `RecordError`, `ControlError`."""
        seen_by_us = self.side is Side.GATEWAY
        found = self._settled(plays, telegrams=seen_by_us)
        with_a_person = topics.with_a_person(found)
        ever, now = topics.held(found)
        broken = self._side.violations() if isinstance(self._side, SimulatedSide) else None
        observed = []
        for play in plays:
            names = play.transactions
            telegrams = self._telegrams(play, found)
            output = list(play.output)
            if seen_by_us and play.case.alone:
                output.append(topics.line_story(found, self.lines))
            books = self._side.books(play.terminal) if isinstance(self._side, SimulatedSide) else None
            agree, by = self._books(play) if books is None else (None, None)
            observed.append(
                Observation(
                    side=self.side, counts=self.counts, started_ms=play.started_ms, ended_ms=play.ended_ms,
                    steps=tuple(play.steps), told=tuple(play.told), telegrams=tuple(telegrams),
                    stands=None if books is None else tuple(books[0]), balance=None if books is None else books[1],
                    books_by=by, books_agree=agree,
                    attention=tuple(names[each] for each in with_a_person if each in names),
                    held=tuple({names[each] for each in ever if each in names}),
                    still_held=tuple(names[each] for each in now if each in names),
                    violations=None if broken is None else tuple(_of_case(broken, telegrams)),
                    output="\n\n".join(filter(None, output)),
                )
            )  # fmt: skip
        return observed

    def _settled(self, plays: Sequence[Play], *, telegrams: bool) -> topics.Found:
        """The topics, once they hold what is expected last: no route held any more, and what a person gets."""
        since_ms = min(play.started_ms for play in plays) - 1_000
        names = {each: (play, name) for play in plays for each, name in play.transactions.items()}
        wanted = {each for each, (play, name) in names.items() if name in play.case.attention and not play.stopped}
        until = time.monotonic() + _SETTLE_S
        while True:
            found = topics.look(self._installation, self.partner.name, since_ms, telegrams=telegrams)
            _, still = topics.held(found)
            done = not (still & names.keys()) and wanted <= topics.with_a_person(found)
            if done or time.monotonic() > until:
                return found
            time.sleep(_LOOK_S)

    def _telegrams(self, play: Play, found: topics.Found) -> list[Telegram]:
        if isinstance(self._side, SimulatedSide) and self._side.side is Side.PARTNER:
            return self._side.telegrams(self._side.rows_of(play.case, play.terminal, play.since))
        return topics.telegrams(found, self.partner, list(play.transactions), play.ended_ms + 1_000)

    def _books(self, play: Play) -> tuple[bool | None, str | None]:
        """A person compares the partner's books, where we cannot see them; nothing to compare, nothing asked."""
        if not play.case.asks or play.stopped:
            return None, None
        kept = [f"{ask.kind} ¥{ask.amount:,}" for ask in play.case.asks if ask.name in play.case.stands]
        ja, en = "・".join(kept) or "なし", ", ".join(kept) or "nothing"
        said = self.person.ask(
            Words(
                f"{play.case.id} 相手先の帳簿（端末 {play.terminal}）に有効として残る取引は次のとおりですか：{ja}",
                f"{play.case.id}: in the partner's books, for terminal {play.terminal}, stands exactly: {en}?",
            )
        )
        return (None, None) if said.answer is Answer.CANNOT else (said.answer is Answer.YES, self.person.name)


def _of_case(broken: Sequence[str], telegrams: Sequence[Telegram]) -> list[str]:
    """The broken rules that name a number of one of these telegrams, or none at all."""
    numbers = {str(each.trace_number) for each in telegrams}
    return [text for text in broken if numbers & set(text.replace(",", " ").split()) or not any(map(str.isdigit, text))]


def _base36(number: int) -> str:
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    found = ""
    while number:
        number, rest = divmod(number, 36)
        found = digits[rest] + found
    return found
