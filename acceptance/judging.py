"""Judges a case: compares what was observed with what was expected. Pure, so that a kept run can be judged again.

Three outcomes of a comparison: same, different, and unseen: it cannot be seen from the side the evidence is from. At
the partner's side everything can be seen, so nothing may be missing there; from the gateway's own topics some things
cannot, and the report says how many.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from acceptance.aligning import Aligned, align
from acceptance.cards import CARDS
from acceptance.cases import AskStep, Case, InquireStep
from acceptance.expected import Expected
from acceptance.record import Check, Done, Judgement, Mark, Observation, Pair, Side, Telegram, Verdict
from acceptance.telling import answer
from acceptance.words import STATION, code_for
from schemas.telegrams import Outcome, PartnerSpec
from schemas.telegrams.masking import mask_pan

STATION_ROLES = frozenset(STATION.values())
_NOTHING = "（なし）"
CARDS_MASKED: Mapping[str, str] = {brand: mask_pan(card.number) for brand, card in CARDS.items()}


def judge(
    case: Case, observation: Observation, partner: PartnerSpec, cards: Mapping[str, str] = CARDS_MASKED
) -> Judgement:  # fmt: skip
    """What the observation is worth. `cards`: the masked numbers of the test cards, by brand."""
    undone = [step for step in observation.steps if step.done is Done.NOT_DONE]
    if undone:
        return Judgement(
            verdict=Verdict.NOT_RUN, pairs=(), checks=(), reason_ja=f"{undone[0].ja}：{undone[0].remark}",
            reason_en=f"{undone[0].en}: {undone[0].remark}",
        )  # fmt: skip
    telegrams = observation.telegrams or ()
    aligned = align(case, telegrams, observation.counts)
    looking = _Looking(case, observation, partner, cards, aligned)
    pairs = tuple(looking.pair(each) for each in aligned.rows)
    checks = tuple(_others(case, observation))
    wrong = any(pair.mark is Mark.DIFFERENT for pair in pairs) or any(each.mark is Mark.DIFFERENT for each in checks)
    return Judgement(verdict=Verdict.FAILED if wrong else Verdict.PASSED, pairs=pairs, checks=checks)


class _Looking:
    """Compares the telegrams of one observation with their lines."""

    def __init__(
        self, case: Case, observation: Observation, partner: PartnerSpec, cards: Mapping[str, str], aligned: Aligned
    ) -> None:
        self._case = case
        self._observation = observation
        self._partner = partner
        self._cards = cards
        self._telegrams = observation.telegrams or ()
        self._aligned = aligned

    def pair(self, row: tuple[int | None, int | None]) -> Pair:
        """The row of a line and a telegram, of which one may be missing."""
        line, seen = row
        expected = None if line is None else self._case.telegrams[line]
        if expected is None or seen is None:
            out_of_sight = expected is not None and expected.role in STATION_ROLES
            return Pair(line=line, seen=seen, unseen=out_of_sight and self._observation.side is Side.GATEWAY)
        return Pair(
            line=line, seen=seen, checks=tuple(self._checks(expected, self._telegrams[seen]))
        )  # fmt: skip

    def _checks(self, expected: Expected, telegram: Telegram) -> Iterator[Check]:
        if expected.amount is not None:
            yen = int(expected.amount) if expected.amount.isdigit() else self._case.amount_of(expected.amount)
            yield self._value(telegram, "amount", "金額", "amount", f"{yen}")
        if expected.answers is not None:
            yield self._answers(expected.answers, telegram)
        if expected.original is not None:
            yield from self._original(expected.original, telegram)
        if expected.route is not None:
            yield self._route(expected.route, telegram)
        if expected.result is not None:
            yield self._result(expected.result, telegram)
        if expected.error is not None:
            code = code_for(self._partner, expected.error)
            yield self._value(telegram, "error_code", "エラーコード", "error code", code)
        if expected.card is not None:
            yield self._value(telegram, "pan", "会員番号（マスク）", "card number, masked", self._cards[expected.card])
        for field in expected.present:
            yield self._presence(telegram, field, there=True)
        for field in expected.absent:
            yield self._presence(telegram, field, there=False)

    # --- one comparison each

    def _value(self, telegram: Telegram, field: str, ja: str, en: str, expected: str) -> Check:
        if field not in telegram.values:
            return self._unseen(ja, en, expected)
        return _compared(ja, en, expected, f"{telegram.values[field]}")

    def _presence(self, telegram: Telegram, field: str, *, there: bool) -> Check:
        term = self._partner.telegrams[telegram.role].field(field)
        ja, en = f"{term.japanese}の有無", f"{term.english}, whether there"
        expected = "あり" if there else "なし"
        if not telegram.fields:
            return self._unseen(ja, en, expected)
        return _compared(ja, en, expected, "あり" if field in telegram.values else "なし")

    def _of(self, number: int) -> list[Telegram]:
        return [self._telegrams[at] for at in self._aligned.of_line(number - 1)]

    def _answers(self, number: int, telegram: Telegram) -> Check:
        ja, en = f"要求 {number} への応答（回線・経路番号・処理通番）", f"answers {number}: line, route, trace number"
        wanted = [_numbers(each) for each in self._of(number)]
        return _among(ja, en, wanted, _numbers(telegram))

    def _route(self, number: int, telegram: Telegram) -> Check:
        ja, en = f"経路保留：要求 {number} と同じ回線・経路", f"route hold: line and route of {number}"
        return _among(ja, en, [_numbers(each)[:2] for each in self._of(number)], _numbers(telegram)[:2])

    def _original(self, number: int, telegram: Telegram) -> Iterator[Check]:
        names = self._partner.telegrams[telegram.role].names
        originals = self._of(number)
        for field, of_ja, of_en, found in (
            ("original_trace_number", "原処理通番", "original's trace number", [e.trace_number for e in originals]),
            ("original_business_date", "原営業日", "original's business date", [e.business_date for e in originals]),
            ("original_route_number", "原経路番号", "original's route number", [e.route_number for e in originals]),
            (
                "original_type_code", "原電文種別コード", "original's type code",
                [self._partner.type_code(e.role) for e in originals],
            ),
        ):  # fmt: skip
            if field not in names:
                continue
            ja, en = f"{of_ja}＝要求 {number}", f"{of_en} is that of {number}"
            if telegram.values.get(field) is None:
                yield self._unseen(ja, en, " / ".join(map(str, found)))
            else:
                yield _among(ja, en, [(each,) for each in found], (telegram.values[field],))

    def _result(self, expected: str, telegram: Telegram) -> Check:
        ja, en = "結果コード", "result code"
        code = telegram.values.get(self._partner.result_field)
        if expected not in {*Outcome}:
            return self._value(telegram, self._partner.result_field, ja, en, expected)
        known = self._partner.result_codes.get(str(code))
        outcome = telegram.values.get("outcome") if code is None else "unknown" if known is None else known.outcome
        if outcome is None:
            return self._unseen(ja, en, expected)
        shown = f"{outcome}" if code is None else f"{outcome} ({code})"
        return Check(mark=_mark(outcome == expected), ja=ja, en=en, expected=expected, actual=shown)

    def _unseen(self, ja: str, en: str, expected: str) -> Check:
        return _unseen(self._observation.side, ja, en, expected)


def _others(case: Case, observation: Observation) -> Iterator[Check]:
    """All that is compared but telegrams."""
    for number, step in enumerate(observation.steps, 1):
        if step.done is Done.FAILED:
            yield Check(mark=Mark.DIFFERENT, ja=f"手順 {number}：{step.ja}", en=f"step {number}: {step.en}",
                        expected="完了", actual=step.remark)  # fmt: skip
    yield from _told(case, observation)
    if case.asks:
        yield _books(case, observation)
    for names, found, ja, en in (
        (case.attention, observation.attention, "要対応一覧（有人対応）", "on the attention list"),
        (case.held, observation.held, "経路保留された要求", "requests whose route was held"),
    ):
        if found is not None:
            yield _compared(ja, en, _listed(names), _listed(found))
        elif case.asks:
            yield _unseen(observation.side, ja, en, _listed(names))
    for left, ja, en in (
        (observation.still_held, "終了後に残った経路保留", "routes still held at the end"),
        (observation.violations, "相手センタが検出した規約違反", "broken rules of the line, as the partner saw"),
    ):
        if left is not None:
            yield _compared(ja, en, _NOTHING, "; ".join(left) or _NOTHING)
        elif case.asks:
            yield _unseen(observation.side, ja, en, _NOTHING)


def _told(case: Case, observation: Observation) -> Iterator[Check]:
    left = list(observation.told)
    for step in case.steps:
        if not isinstance(step, AskStep | InquireStep):
            continue
        count = step.count if isinstance(step, AskStep) else 1
        told, left = left[:count], left[count:]
        what = "照会" if isinstance(step, InquireStep) else f"{step.kind}"
        ja, en = f"利用側 {step.name} への回答（{what}）", f"told to client {step.name} ({what})"
        yield _counted(ja, en, answer(step.told), count, [answer(each.at_once) for each in told])
        if isinstance(step, AskStep) and step.ends is not None:
            ja, en = f"{step.name} の最終状態（照会）", f"end of {step.name}, by inquiry"
            yield _counted(ja, en, answer(step.ends), count, [answer(each.at_last) for each in told])


def _books(case: Case, observation: Observation) -> Check:
    ja, en = "相手センタの帳簿に有効として残る取引", "what stands in the partner's books"
    wanted = Counter({(str(ask.kind), ask.amount): ask.count for ask in case.asks if ask.name in case.stands})
    expected = _entries(list(wanted.elements()))
    if observation.stands is not None:
        return _compared(ja, en, expected, _entries(observation.stands))
    if observation.books_agree is None:
        return _unseen(observation.side, ja, en, expected)
    said = "一致（確認者）" if observation.books_agree else "不一致（確認者）"
    mark = _mark(observation.books_agree)
    return Check(mark=mark, ja=ja, en=en, expected=expected, actual=f"{said} {observation.books_by or ''}".strip())


# --- marks ----------------------------------------------------------------------------------------------------------


def _mark(same: bool) -> Mark:
    return Mark.SAME if same else Mark.DIFFERENT


def _compared(ja: str, en: str, expected: str, actual: str) -> Check:
    return Check(mark=_mark(expected == actual), ja=ja, en=en, expected=expected, actual=actual)


def _counted(ja: str, en: str, expected: str, count: int, actual: Sequence[str]) -> Check:
    if count == 1 == len(actual):
        return _compared(ja, en, expected, actual[0])
    found = ", ".join(f"{text} ×{many}" for text, many in Counter(actual).items()) or _NOTHING
    return _compared(ja, en, f"{expected} ×{count}", found)


def _among(ja: str, en: str, wanted: Sequence[tuple[object, ...]], actual: tuple[object, ...]) -> Check:
    expected = " / ".join(_shown(each) for each in dict.fromkeys(wanted)) or _NOTHING
    return Check(mark=_mark(actual in wanted), ja=ja, en=en, expected=expected, actual=_shown(actual))


def _unseen(side: Side, ja: str, en: str, expected: str) -> Check:
    mark = Mark.DIFFERENT if side is Side.PARTNER else Mark.UNSEEN
    return Check(mark=mark, ja=ja, en=en, expected=expected, actual="（この側からは確認できない）")


def _numbers(telegram: Telegram) -> tuple[object, ...]:
    return telegram.line, telegram.route_number, telegram.trace_number


def _shown(values: tuple[object, ...]) -> str:
    return " ".join("？" if each is None else f"{each}" for each in values)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(sorted(names)) or _NOTHING


def _entries(entries: Sequence[tuple[str, int]]) -> str:
    counted = Counter(entries)
    shown = [f"{kind} ¥{yen:,}" + (f" ×{many}" if many > 1 else "") for (kind, yen), many in sorted(counted.items())]
    return ", ".join(shown) or _NOTHING
