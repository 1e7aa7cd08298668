"""The test client of an acceptance: asks as a case says, in the manner it says, and writes down what it is told."""

import itertools
import ssl
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple

from acceptance.cards import Plastic
from acceptance.cases import AskStep, Case, InquireStep, Manner
from acceptance.record import Done, StepDone, Told
from client import Card, ClientError, SyncClient
from ops.money import ClientRecord
from ops.player import Stranger, end_of, told_by
from ops.reading import Ends
from schemas.identity import transaction_id
from schemas.records import Status
from schemas.refusals import Refusal

Address = tuple[str, int]
_NOT_YET = {f"refused: {each}" for each in (Refusal.ORIGINAL_STILL_IN_PROCESS, Refusal.NO_OPEN_LINE)}
_NOT_YET_S, _AGAIN_S = 5.0, 0.1


class Customer(NamedTuple):
    """Whose requests the test client makes, and where."""

    door: Address
    name: str
    token: str
    tls: ssl.SSLContext | None = None

    def __repr__(self) -> str:
        return f"Customer({self.name})"


class Outcome(NamedTuple):
    """How a step went: a remark, and who did it where that was a person."""

    done: Done
    remark: str = ""
    by: str | None = None


DONE = Outcome(Done.DONE)


@dataclass(slots=True)
class Play:
    """A case as it is played."""

    case: Case
    terminal: str
    stamp: str  # makes its references new
    since: int  # the last telegram that passed before it
    after: Ends  # where the topics ended before it
    sessions: Mapping[str, int | None]  # by line: since when its connection stood as the case began
    started_ms: int  # by this machine's clock, as `ended_ms`: for people
    ended_ms: int = 0
    steps: list[StepDone] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    output: list[str] = field(default_factory=list)
    strangers: list[Stranger] = field(default_factory=list)
    transactions: dict[str, str] = field(default_factory=dict)  # by id: the name of its request
    taken: dict[str, str] = field(default_factory=dict)  # by name: the reference under which it was asked last

    @property
    def stopped(self) -> bool:
        """Whether a step was not as it should be: those after it would show nothing."""
        return bool(self.steps) and self.steps[-1].done is not Done.DONE

    def reference(self, name: str, number: int = 0) -> str:
        """The reference of a request; those of several at once are numbered."""
        return f"{self.case.id}.{self.stamp}.{name}" + (f".{number}" if number else "")

    def original(self, name: str) -> str | None:
        """The reference of what this request follows."""
        (ask,) = [each for each in self.case.asks if each.name == name][:1]
        return None if ask.follows is None else self.asked_as(ask.follows)

    def asked_as(self, name: str) -> str:
        """Under which reference a request was asked, or would have been."""
        return self.taken.get(name, self.reference(name))


class TestClient:
    """One customer's session, which threads may share. `limit_s`: how long an end is awaited. Raises `ClientError`."""

    __test__ = False

    def __init__(self, customer: Customer, cards: Mapping[str, Plastic], limit_s: float) -> None:
        self.cards = cards
        self.records: list[ClientRecord] = []  # for the money report
        self._customer = customer
        self._limit_s = limit_s
        self._session = SyncClient(customer.door, customer=customer.name, token=customer.token, tls=customer.tls)

    def close(self) -> None:
        """End the session."""
        self._session.close(5)

    def ask(self, play: Play, step: AskStep) -> Outcome:
        """Ask once, or for several at once."""
        if step.card not in self.cards:
            return Outcome(Done.NOT_DONE, f"カード {step.card} の指定なし（--cards）  no such card was given")
        numbers = range(1, step.count + 1) if step.count > 1 else (0,)
        with ThreadPoolExecutor(step.count) as pool:
            asked = list(pool.map(lambda number: self._asked_until_taken(play, step, number), numbers))
        play.told += [told for told, _ in asked]
        again = sum(tries for _, tries in asked)
        return DONE if not again else Outcome(Done.DONE, f"受付準備待ちで {again} 回再要求  asked again {again} times")

    def inquire(self, play: Play, step: InquireStep) -> Outcome:
        """Inquire about a request of the case."""
        reference = play.asked_as(step.name)
        told = end_of(self._session, reference, play.original(step.name), self._limit_s)
        amount = play.case.amount_of(step.name)
        play.told.append(
            Told(name=step.name, kind="inquiry", reference=reference, amount=amount, at_once=told, at_last=None)
        )
        return DONE

    def await_ends(self, play: Play) -> None:
        """Hear what became of each request at last, and the partner's word on it."""
        steps = {step.name: step for step in play.case.asks}
        for at, told in enumerate(play.told):
            step = steps[told.name]
            if told.kind == "inquiry" or step.ends is None:
                continue
            original = play.original(told.name)
            end = end_of(self._session, told.reference, original, self._limit_s)
            approval, result, error = self._codes(told.reference, original)
            play.told[at] = Told(
                name=told.name, kind=told.kind, reference=told.reference, amount=told.amount, at_once=told.at_once,
                at_last=end, approval_code=approval, result_code=result, error_code=error,
            )  # fmt: skip
            first = steps[step.reference_of or step.name]  # it is about the request that was taken
            self._record(told.reference, original, first, end)

    def _asked_until_taken(self, play: Play, step: AskStep, number: int) -> tuple[Told, int]:
        """What is refused as `_NOT_YET`, and may be asked for again (`Refusal.retryable`), is for some seconds.

        A client hears of its approval, and the board of an opened line, a moment before the router has stored it.
        """
        until = time.monotonic() + _NOT_YET_S
        for tries in itertools.count():
            told = self._asked(play, step, number, f".{tries}" if tries else "")
            if told.at_once not in _NOT_YET or told.at_once == step.told or time.monotonic() > until:
                play.taken[step.name] = told.reference
                return told, tries
            time.sleep(_AGAIN_S)
        raise AssertionError("it is counted without end")

    def _asked(self, play: Play, step: AskStep, number: int, again: str) -> Told:
        card = self.cards[step.card]
        original = play.original(step.name)
        reference = play.reference(step.name, number) + again
        if step.reference_of is not None:
            reference = play.asked_as(step.reference_of)
        play.transactions.setdefault(transaction_id(self._customer.name, reference, original), step.name)
        request = {
            "reference": reference, "kind": str(step.kind), "terminal_id": play.terminal, "amount": step.amount,
            "card": Card(number=card.number, expiry=card.expiry), "payment_method": "10",
            "original_reference": original, "security_code": card.security_code if step.security_code else None,
        }  # fmt: skip
        told: str | None = None
        if step.manner is Manner.WAITS:
            told = told_by(self._session, request)
        else:
            stranger = Stranger(self._customer.door, self._customer.name, self._customer.token, self._customer.tls)
            stranger.ask(request)
            if step.manner is Manner.MUTE:
                play.strangers.append(stranger)
            else:
                stranger.close()
            if step.manner is Manner.RETURNS:
                told = self._back(reference, original)
        self._record(reference, original, step, told)
        return Told(
            name=step.name, kind=str(step.kind), reference=reference, amount=step.amount, at_once=told, at_last=None
        )  # fmt: skip

    def _back(self, reference: str, original: str | None) -> str:
        """Inquire as one who has come back: over another session the inquiry may be there before the request."""
        until = time.monotonic() + _NOT_YET_S
        while (told := end_of(self._session, reference, original, self._limit_s)) == Status.UNKNOWN:
            if time.monotonic() > until:
                break
            time.sleep(_AGAIN_S)
        return told

    def _record(self, reference: str, original: str | None, step: AskStep, told: str | None) -> None:
        name = transaction_id(self._customer.name, reference, original)
        self.records.append(ClientRecord(name, step.kind, step.amount, told))

    def _codes(self, reference: str, original: str | None) -> tuple[str | None, str | None, str | None]:
        try:
            result = self._session.inquire(reference, original_reference=original, wait_ms=5_000)
        except ClientError:
            return None, None, None
        return result.approval_code, result.result_code, result.error_code
