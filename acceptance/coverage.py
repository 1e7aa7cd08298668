"""What a catalogue has to show 網羅表, and which cases show it: judged from what the cases expect, not from a claim.

A demand is met by a case whose steps and telegrams are about it. `ALL` are those of the development server, where
everything can be played; on a real line fewer can.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from acceptance.cards import CARDS
from acceptance.cases import AskStep, Case, DrillStep, EventStep, Manner, PartnerStep
from acceptance.words import IN, OUT, REQUESTS, SHORT, WORD_OF, WORDS
from schemas.records import Kind
from schemas.telegrams import FAULT_COMMANDS, ErrorClass, Outcome, PartnerSpec, Role


class Demand(NamedTuple):
    """Something a catalogue has to show."""

    ja: str
    en: str
    met: Callable[[Case], bool]


def coverage(cases: Sequence[Case], partner: PartnerSpec) -> dict[Demand, list[str]]:
    """Each demand, and the ids of the cases that meet it."""
    return {demand: [case.id for case in cases if demand.met(case)] for demand in demands(partner)}


def demands(partner: PartnerSpec) -> Iterator[Demand]:
    """Everything that is demanded of the cases of this partner."""
    yield from _ordinary(partner)
    yield from _returned(partner)
    yield from _cancels(partner)
    yield from _lines()
    yield from _others()


# --- what a case is about -------------------------------------------------------------------------------------------


def _roles(case: Case) -> list[tuple[str, Role]]:
    return [(each.way, each.role) for each in case.telegrams]


def _passes(*words: str) -> Callable[[Case], bool]:
    """These telegrams, in this order, and no other but station telegrams and what goes before the first."""
    wanted = [(words[at], WORDS[words[at + 1]]) for at in range(0, len(words), 2)]

    def met(case: Case) -> bool:
        found = [each for each in _roles(case) if each[1] in SHORT.values()]
        return any(found[at:] == wanted for at in range(len(found)))

    return met


def _deeds(case: Case) -> set[tuple[Role, str]]:
    """What its partner does, to which telegrams."""
    steps = [step for step in case.steps if isinstance(step, PartnerStep)]
    return {(WORDS[word], step.deed) for step in steps for word in step.telegrams}


def _both(*parts: Callable[[Case], bool]) -> Callable[[Case], bool]:
    return lambda case: all(part(case) for part in parts)


def _does(word: str, deed: str) -> Callable[[Case], bool]:
    return lambda case: (WORDS[word], deed) in _deeds(case)


def _has(way: str, role: Role) -> Callable[[Case], bool]:
    return lambda case: (way, role) in _roles(case)


def _reports_error(role: Role, code: str) -> Callable[[Case], bool]:
    return lambda case: any((each.role, each.error) == (role, code) for each in case.telegrams)


def _reports_result(code: str) -> Callable[[Case], bool]:
    return lambda case: any(each.result == code for each in case.telegrams)


def _names_original(role: Role) -> Callable[[Case], bool]:
    return lambda case: any(each.role is role and each.original is not None for each in case.telegrams)


def _exhausts(role: Role) -> Callable[[Case], bool]:
    return lambda case: any(each.role is role and each.times.many == "recommands" for each in case.telegrams)


def _told(refusal: str) -> Callable[[Case], bool]:
    return lambda case: any(ask.told == f"refused: {refusal}" for ask in case.asks)


def _amount(yen: int) -> Callable[[Case], bool]:
    return lambda case: any(ask.amount == yen and ask.told == "approved" for ask in case.asks)


def _pays_with(brand: str) -> Callable[[Case], bool]:
    return lambda case: any(ask.card == brand for ask in case.asks)


def _happens(event: str) -> Callable[[Case], bool]:
    return lambda case: any(isinstance(step, EventStep) and step.event == event for step in case.steps)


def _repeats(case: Case, *, same: bool) -> bool:
    by_name: Mapping[str, AskStep] = {ask.name: ask for ask in case.asks}
    again: Iterable[AskStep] = (ask for ask in case.asks if ask.reference_of is not None)
    return any((ask.amount == by_name[str(ask.reference_of)].amount) is same for ask in again)


def _uncancelled(case: Case) -> bool:
    return not {role for _, role in _roles(case)} & set(FAULT_COMMANDS)


def _with_a_person(case: Case) -> bool:
    return bool(case.attention)


def _by_itself(case: Case) -> bool:
    return not case.attention


def _late(case: Case) -> bool:
    return any(isinstance(step, PartnerStep) and step.after == "too_late" for step in case.steps)


def _vanishing(case: Case) -> bool:
    return any(ask.manner is Manner.VANISHES for ask in case.asks)


def _holding(case: Case) -> bool:
    return bool(case.held) and all(each.route for each in case.telegrams if each.role in FAULT_COMMANDS)


def _drills(drill: str) -> Callable[[Case], bool]:
    return lambda case: any(isinstance(step, DrillStep) and step.drill == drill for step in case.steps)


# --- the demands ----------------------------------------------------------------------------------------------------


def _ordinary(partner: PartnerSpec) -> Iterator[Demand]:
    for request, report in REQUESTS.values():
        for way, role in ((OUT, request), (IN, report)):
            telegram = partner.telegrams[role]
            yield Demand(f"{telegram.japanese}（{telegram.type_code}）", telegram.english, _has(way, role))
    for kind in (Kind.CANCEL, Kind.REFUND):
        role = REQUESTS[kind][0]
        words = partner.telegrams[role]
        yield Demand(f"{words.japanese}が原取引を指す", f"{words.english} names its original", _names_original(role))
    for brand, card in CARDS.items():
        yield Demand(f"ブランド {card.ja}", card.en, _pays_with(brand))
    yield Demand("金額の下限 ¥1", "the smallest amount", _amount(1))
    yield Demand("金額の上限 ¥99,999,999", "the largest amount", _amount(99_999_999))
    yield Demand(
        "同時多数の要求（20 件以上）", "twenty or more at once", lambda case: any(e.count >= 20 for e in case.asks)
    )


def _returned(partner: PartnerSpec) -> Iterator[Demand]:
    for code in partner.result_codes.values():
        if code.outcome is not Outcome.APPROVED and not code.fault_cancel:
            met = _both(_reports_result(code.code), _uncancelled)
            yield Demand(f"結果コード {code.code} {code.japanese}", f"result code {code.code}", met)
    for error in partner.error_codes.values():
        if error.error_class is ErrorClass.TELEGRAM_ERROR:
            met = _both(_reports_error(Role.ERROR_REPORT, error.code), _uncancelled)
            yield Demand(f"要求への異常報告 {error.code} {error.japanese}", f"request in error, {error.code}", met)


def _cancels(partner: PartnerSpec) -> Iterator[Demand]:
    sale, lost = (OUT, "sale"), (OUT, "sale", IN, "sale_report", OUT, "8910")
    yield Demand("8930 → 8960", "8930, 8960", _passes(*sale, OUT, "8930", IN, "8960"))
    yield Demand("8930 → 8940 → 8960", "8930, 8940, 8960", _passes(*sale, OUT, "8930", OUT, "8940", IN, "8960"))
    yield Demand("8940 の反復", "8940 repeated", _passes(*sale, OUT, "8930", OUT, "8940", OUT, "8940", IN, "8960"))
    yield Demand("8910 → 8950", "8910, 8950", _passes(*lost, IN, "8950"))
    yield Demand("8910 → 8920 → 8950", "8910, 8920, 8950", _passes(*lost, OUT, "8920", IN, "8950"))
    yield Demand("8920 の反復", "8920 repeated", _passes(*lost, OUT, "8920", OUT, "8920", IN, "8950"))
    for role, word in ((Role.FAULT_CONFIRM_AGAIN, "8940"), (Role.FAULT_CANCEL_AGAIN, "8920")):
        met = _both(_exhausts(role), _with_a_person)
        yield Demand(f"{word} の上限到達 → 有人対応", f"{word} exhausted: a person", met)
    yield from _error_codes(partner)
    for request, _ in REQUESTS.values():
        name = partner.telegrams[request].japanese
        yield Demand(f"{name}に応答なし", f"{request} without an answer", _does(WORD_OF[request], "silent"))
    yield Demand("経路保留（原要求と同じ回線・経路）", "route hold: on the original's line and route", _holding)


def _error_codes(partner: PartnerSpec) -> Iterator[Demand]:
    chains = (("8960", Role.FAULT_CONFIRM_REPORT), ("8950", Role.FAULT_CANCEL_REPORT))
    for error in partner.error_codes.values():
        if error.error_class is not ErrorClass.DESTINATION_TROUBLE:
            continue
        for word, role in chains:
            met = _reports_error(role, error.code)
            yield Demand(
                f"{word} {error.code} → 再指令 → 終了", f"{word}, {error.code}: again, done", _both(met, _by_itself)
            )
            yield Demand(
                f"{word} {error.code} の継続 → 有人対応", f"{word}, {error.code}: a person", _both(met, _with_a_person)
            )
    for word in ("8930", "8940", "8910", "8920"):
        met = _both(_does(word, "error_report"), _with_a_person)
        yield Demand(f"{word} への異常報告 → 有人対応", f"{word} in error: a person", met)


def _lines() -> Iterator[Demand]:
    for way, word, ja, en in (
        (OUT, "opening", "開局（自局から）", "opening"),
        (OUT, "closing", "閉局（自局から）", "closing by the gateway"),
        (IN, "closing", "閉局（相手センタから）", "closing by the partner"),
        (OUT, "keepalive", "疎通確認（自局から）", "keep-alive by the gateway"),
        (IN, "keepalive", "疎通確認（相手センタから）", "keep-alive by the partner"),
    ):
        yield Demand(ja, en, _has(way, WORDS[word]))
    yield Demand("疎通確認に応答なし", "keep-alive without an answer", _does("keepalive", "silent"))
    yield Demand("開局拒否", "openings refused", _happens("refuse_opening"))
    yield Demand("回線断", "lines broken", _happens("drop_lines"))
    yield Demand("処理中の回線断", "a line broken in flight", _does("sale", "drop"))


def _others() -> Iterator[Demand]:
    yield Demand("報告遅延", "late report", _late)
    yield Demand("報告重複", "report twice", _does("sale", "twice"))
    yield Demand("要求不達", "request lost", _does("sale", "lose"))
    yield Demand("不正電文", "an answer that is no telegram", _does("sale", "garbage"))
    yield Demand("金額の異なる報告", "a report of another amount", _does("sale", "other_amount"))
    yield Demand("一覧にない結果コード", "a result code of no list", _does("sale", "unknown_code"))
    yield Demand("別の取引の取消確認報告", "an 8960 about another original", _does("8930", "other_terminal"))
    yield Demand("回線折返し", "a looped line", _does("sale", "loop"))
    yield Demand("折返しの返却不能", "turned round, not deliverable", _both(_does("sale", "turn_round"), _vanishing))
    yield Demand("同一内容の再送", "the same content again", lambda case: _repeats(case, same=True))
    yield Demand("別内容の再送", "other content under a used reference", lambda case: _repeats(case, same=False))
    for refusal in ("station_closed", "no_open_line", "original_unknown", "original_not_approved"):
        yield Demand(f"送信前の拒否 {refusal}", f"refused, {refusal}", _told(refusal))
    yield Demand("ノード障害", "node death", _drills("node-death"))
    yield Demand("縮退運転", "the breaker", _drills("breaker"))
