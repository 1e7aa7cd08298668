"""Where cases are played: an installation that is up, its door for clients, and the partner's side.

`Place.play` does the steps of a case, `Place.observe` gathers afterwards what is to be judged. On a stage with
simulated centres many cases are played at once, on a real line one after the other.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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
    Look,
    OrderStep,
    PartnerStep,
)
from acceptance.deeds import Words
from acceptance.judging import STATION_ROLES
from acceptance.record import Done, Observation, Side, StepDone, Telegram
from acceptance.telling import LOOKS, told_step
from client import ClientError
from ops import acceptance_topics as topics
from ops.acceptance_client import DONE, Customer, Outcome, Play, TestClient
from ops.acceptance_looks import Looks
from ops.acceptance_people import Answer, Person
from ops.acceptance_sides import OperatorSide, SimulatedSide
from ops.money import ClientRecord, Finding
from ops.reading import earliest
from ops.times import now_ms
from pipeline.log import LogError
from schemas.installation import Installation
from schemas.telegrams import PartnerSpec
from schemas.wire import RecordError
from simulator.control import ControlError

_LOOK_S = 0.05
_SPARE_S = 15.0
_SETTLE_S = 5.0
_TOPICS_S = 0.3  # reading topics is work for the broker
_SAID: Mapping[Answer, Done] = {Answer.YES: Done.DONE, Answer.NO: Done.FAILED, Answer.CANNOT: Done.NOT_DONE}
_ELSEWHERE = "開発環境（dev、構成ファイルなし）でのみ実施できる  only on the stage of dev"


@dataclass(frozen=True, slots=True)
class OnStage:
    """What can be done on a stage of our own alone: run a drill, and judge the money of all that was played."""

    drill: Callable[[DrillStep], tuple[bool, str]]
    money: Callable[[Sequence[ClientRecord]], Sequence[Finding]]


class Place:
    """One partner of one installation. `terminals` gives each case its terminal; `stage`, where there is one."""

    def __init__(
        self, installation: Installation, partner: PartnerSpec, side: SimulatedSide | OperatorSide, customer: Customer,
        person: Person, *, terminals: Callable[[], str], cards: Mapping[str, Plastic] = CARDS,
        stage: OnStage | None = None,
    ) -> None:  # fmt: skip
        self.partner = partner
        self.person = person
        self._lines = [line.name for line in installation.line if partner.name in line.partners]
        self._looks = Looks(installation, partner.name, self._lines)
        self._installation = installation
        self._side = side
        self._terminals = terminals
        self._stage = stage
        settings = installation.partner_named(partner.name)
        cancel = settings.cancel
        self._counts = {
            "lines": len(self._lines), "recommands": cancel.commands_max - 1, "troubles": cancel.troubles_max
        }  # fmt: skip
        self._limit_s = _SPARE_S + 1e-3 * (
            settings.send_window_ms
            + 2 * settings.report_timeout_ms
            + cancel.commands_max * (cancel.report_timeout_ms + cancel.silence_pause_ms)
            + cancel.troubles_max * cancel.trouble_pause_ms
        )
        self._client = TestClient(customer, cards, self._limit_s)

    @property
    def side(self) -> Side:
        """From whose side telegrams are seen."""
        return self._side.side

    @property
    def cards(self) -> Mapping[str, Plastic]:
        """The test cards, by brand."""
        return self._client.cards

    def close(self) -> None:
        """End the test client's session."""
        self._client.close()

    # --- playing

    def play(self, case: Case) -> Play:
        """Do the steps of a case until one is not as it should be. Raises `Ended`."""
        ready = not case.alone or self._awaited(self._looks.all_open)
        since = self._side.refresh() if isinstance(self._side, SimulatedSide) else 0
        after = topics.where(self._installation, self.partner.name)
        began = now_ms()
        sessions = self._looks.sessions() if case.alone else {}
        play = Play(case, self._terminals(), _base36(began // 100), since, after, sessions, began)
        if not ready:
            words = Words("前提：全回線が開局していること", "before it: every line is open")
            play.steps.append(StepDone(done=Done.FAILED, at_ms=began, ja=words.ja, en=words.en, remark="開局しない"))
        try:
            for step in case.steps:
                if not play.stopped:
                    self._step(play, step)
            if not play.stopped:
                self._await_telegrams(play)
                self._client.await_ends(play)
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
            outcome = self._done(play, step)
        except (ControlError, LogError, RecordError, ClientError, OSError) as error:
            outcome = Outcome(Done.FAILED, f"{type(error).__name__}: {error}")
        play.steps.append(
            StepDone(
                done=outcome.done, at_ms=began, ja=words.ja, en=words.en, remark=outcome.remark, by=outcome.by
            )
        )  # fmt: skip

    def _done(self, play: Play, step: AnyStep) -> Outcome:  # noqa: C901  one branch a kind of step
        match step:
            case PartnerStep():
                return self._side.behave(play.case, play.terminal, step)
            case EventStep():
                return self._side.happen(step)
            case AskStep():
                return self._client.ask(play, step)
            case InquireStep():
                return self._client.inquire(play, step)
            case OrderStep():
                failed = self._looks.order(step.order, self.person.name, f"acceptance {play.case.id}")
                return DONE if failed is None else Outcome(Done.FAILED, failed)
            case AwaitStep():
                awaited = {
                    "open": self._looks.all_open, "closed": self._looks.none_open,
                    "reopened": lambda: self._looks.reopened(play.sessions),
                }  # fmt: skip
                there = self._awaited(awaited[step.lines])
                return DONE if there else Outcome(Done.FAILED, f"{self._limit_s:.0f} s 以内にそうならない  not in time")
            case CheckStep():
                return self._check(play, step.look)
            case ConfirmStep():
                said = self.person.ask(told_step(step, self.partner))
                return Outcome(_SAID[said.answer], said.remark, self.person.name)
            case DrillStep():
                if self._stage is None:
                    return Outcome(Done.NOT_DONE, _ELSEWHERE)
                good, told = self._stage.drill(step)
                play.output.append(told)
                return DONE if good else Outcome(Done.FAILED, "記録を参照  see the output")
            case _:
                assert_never(step)

    def _check(self, play: Play, look: Look) -> Outcome:
        words = LOOKS[look]
        if look is Look.MONEY:
            if self._stage is None:
                return Outcome(Done.NOT_DONE, _ELSEWHERE)
            found = self._stage.money(self._client.records)
            holds = all(each.holds for each in found)
            told = "\n".join(_told_finding(each) for each in found)
        else:
            holds, told = self._looks.look(look)
        play.output.append(f"{words.ja}  {words.en}\n{told}")
        remark = told.splitlines()[0] if told and "\n" not in told else "" if holds else "記録を参照  see the output"
        return Outcome(Done.DONE if holds else Done.FAILED, remark)

    # --- waiting

    def _await_telegrams(self, play: Play) -> None:
        """Until as many telegrams have passed as are expected and can be seen.

        Nobody inquires before: a client that comes back is told of its approval, and nothing is cancelled.
        """
        gateway = self.side is Side.GATEWAY
        expected = [each for each in play.case.telegrams if not (gateway and each.role in STATION_ROLES)]
        wanted = sum(each.times.number(self._counts) for each in expected)
        if wanted:
            self._awaited(lambda: self._passed(play) >= wanted, _TOPICS_S if gateway else _LOOK_S)

    def _passed(self, play: Play) -> int:
        """How many telegrams of the case have passed until now."""
        if isinstance(self._side, SimulatedSide) and self.side is Side.PARTNER:
            return len(self._side.rows_of(play.case, play.terminal, play.since))
        found = topics.look(self._installation, self.partner.name, play.after, telegrams=True)
        return len(self._telegrams(play, found))

    def _awaited(self, found: Callable[[], bool], step_s: float = _LOOK_S) -> bool:
        until = time.monotonic() + self._limit_s
        while not found():
            if time.monotonic() > until:
                return False
            time.sleep(step_s)
        return True

    # --- observing

    def observe(self, plays: Sequence[Play]) -> list[Observation]:
        """What is to be judged of each. Raises `LogError`, `RecordError`, `ControlError`, `Ended`."""
        found = self._settled(plays, telegrams=self.side is Side.GATEWAY)
        broken = self._side.violations() if isinstance(self._side, SimulatedSide) else None
        return [self._observed(play, found, broken) for play in plays]

    def _observed(self, play: Play, found: topics.Found, broken: Sequence[str] | None) -> Observation:
        names = play.transactions
        telegrams = self._telegrams(play, found)
        output = list(play.output)
        if self.side is Side.GATEWAY and play.case.alone:
            output.append(topics.line_story(found, self._lines))
        books = self._side.books(play.terminal) if isinstance(self._side, SimulatedSide) else None
        agree, by = self._books_by_hand(play) if books is None else (None, None)
        ever, now = topics.held(found)
        return Observation(
            side=self.side, counts=self._counts, started_ms=play.started_ms, ended_ms=play.ended_ms,
            steps=tuple(play.steps), told=tuple(play.told), telegrams=tuple(telegrams),
            stands=None if books is None else tuple(books[0]), balance=None if books is None else books[1],
            books_by=by, books_agree=agree,
            attention=_named(topics.with_a_person(found), names), held=_named(ever, names),
            still_held=_named(now, names),
            violations=None if broken is None else tuple(_of_case(broken, telegrams)),
            output="\n\n".join(filter(None, output)),
        )  # fmt: skip

    def _settled(self, plays: Sequence[Play], *, telegrams: bool) -> topics.Found:
        """The topics, once they hold what is expected last: no route held any more, and what a person gets."""
        after = earliest(play.after for play in plays)
        names = {each: (play, name) for play in plays for each, name in play.transactions.items()}
        wanted = {each for each, (play, name) in names.items() if name in play.case.attention and not play.stopped}
        until = time.monotonic() + _SETTLE_S
        while True:
            found = topics.look(self._installation, self.partner.name, after, telegrams=telegrams)
            _, still = topics.held(found)
            done = not (still & names.keys()) and wanted <= topics.with_a_person(found)
            if done or time.monotonic() > until:
                return found
            time.sleep(_LOOK_S)

    def _telegrams(self, play: Play, found: topics.Found) -> list[Telegram]:
        if isinstance(self._side, SimulatedSide) and self._side.side is Side.PARTNER:
            return self._side.telegrams(self._side.rows_of(play.case, play.terminal, play.since))
        return topics.telegrams(found, self.partner, list(play.transactions))

    def _books_by_hand(self, play: Play) -> tuple[bool | None, str | None]:
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


def _named(transactions: set[str], names: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(sorted({names[each] for each in transactions if each in names}))


def _of_case(broken: Sequence[str], telegrams: Sequence[Telegram]) -> list[str]:
    """The broken rules that name a number of one of these telegrams, or none at all."""
    numbers = {str(each.trace_number) for each in telegrams}
    return [text for text in broken if numbers & set(text.replace(",", " ").split()) or not any(map(str.isdigit, text))]


def _told_finding(finding: Finding) -> str:
    sign, more = ("○", "") if finding.holds else ("×", f"\n    {finding.shown()}")
    return f"{sign} {finding.number} {finding.japanese}  {finding.english}（{finding.looked_at}）{more}"


def _base36(number: int) -> str:
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    found = ""
    while number:
        number, rest = divmod(number, 36)
        found = digits[rest] + found
    return found
