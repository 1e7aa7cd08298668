"""The judge: a run as it should be passes; whatever is changed in it, or in what is expected, fails and is named."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from acceptance_rig import case_of, observed, partner_named, passed

from acceptance.cases import AskStep, Case
from acceptance.expected import read_expected
from acceptance.judging import judge
from acceptance.record import Check, Done, Judgement, Mark, Observation, Side, Told, Verdict
from acceptance.words import IN
from schemas.telegrams import Role

IDS = ("CAF-D-306", "CDN-D-306")
of_each = pytest.mark.parametrize("case_id", IDS)


def judged(case: Case, **changed: Any) -> Judgement:
    partner = partner_named(case.partner)
    return judge(case, observed(partner, case, **changed), partner)


def expecting(case: Case, *lines: str) -> Case:
    """The case with other lines of telegrams."""
    return msgspec.structs.replace(case, telegrams=read_expected(lines))


def wrong(judgement: Judgement) -> list[Check]:
    return [check for check in judgement.every if check.mark is Mark.DIFFERENT]


LINES = (
    "→ sale amount=a",
    "→ 8930 original=1 route=1 amount=a",
    "→ 8940 original=1 route=1 amount=a",
    "← 8960 answers=3 amount=a result=approved",
)


@of_each
def test_a_run_as_expected_passes(case_id: str) -> None:
    case = case_of(case_id)
    assert tuple(each.text for each in case.telegrams) == LINES
    found = judged(case)
    assert found.verdict is Verdict.PASSED
    assert found.unseen == 0
    assert len(found.every) > 15


# --- a broken expectation shows as a failed case

BROKEN = {
    "amount": (0, "→ sale amount=3061", "金額"),
    "answers": (3, "← 8960 answers=2 amount=a result=approved", "要求 2 への応答"),
    "result": (3, "← 8960 answers=3 amount=a result=declined", "結果コード"),
    "error": (3, "← 8960 answers=3 amount=a error=C13", "エラーコード"),
    "original": (2, "→ 8940 original=2 route=1 amount=a", "原処理通番＝要求 2"),
    "card": (0, "→ sale amount=a card=jcb", "会員番号"),
    "with": (0, "→ sale amount=a with=security_code", "セキュリティコードの有無"),
    "without": (0, "→ sale amount=a without=terminal_id", "端末識別番号の有無"),
}


@of_each
@pytest.mark.parametrize(("at", "line", "named"), BROKEN.values(), ids=BROKEN)
def test_a_broken_expectation_fails_the_case_and_is_named(case_id: str, at: int, line: str, named: str) -> None:
    lines = list(LINES)
    lines[at] = line
    found = judged(expecting(case_of(case_id), *lines))
    assert found.verdict is Verdict.FAILED
    assert any(named in check.ja for check in wrong(found))
    assert {pair.line for pair in found.pairs if pair.mark is Mark.DIFFERENT} == {at}


@of_each
@pytest.mark.parametrize("at", range(4))
def test_a_telegram_too_few_is_a_row_without_a_fellow(case_id: str, at: int) -> None:
    case = case_of(case_id)
    telegrams = observed(partner_named(case.partner), case).telegrams
    assert telegrams is not None
    found = judged(case, telegrams=telegrams[:at] + telegrams[at + 1 :])
    assert found.verdict is Verdict.FAILED
    assert [pair.line for pair in found.pairs if pair.seen is None] == [at]


@of_each
def test_a_telegram_too_many_is_a_row_without_a_fellow(case_id: str) -> None:
    case = case_of(case_id)
    telegrams = observed(partner_named(case.partner), case).telegrams
    assert telegrams is not None
    found = judged(case, telegrams=(*telegrams, telegrams[-1]))
    assert found.verdict is Verdict.FAILED
    assert [pair.seen for pair in found.pairs if pair.line is None] == [4]


@of_each
def test_telegrams_in_another_order_fail(case_id: str) -> None:
    case = case_of(case_id)
    telegrams = observed(partner_named(case.partner), case).telegrams
    assert telegrams is not None
    assert judged(case, telegrams=(telegrams[0], *reversed(telegrams[1:]))).verdict is Verdict.FAILED


def test_another_route_is_no_route_hold() -> None:
    case = case_of("CAF-D-306")
    partner = partner_named("cafis")
    telegrams = observed(partner, case).telegrams
    assert telegrams is not None
    moved = msgspec.structs.replace(telegrams[2], route_number=8)
    found = judged(case, telegrams=(*telegrams[:2], moved, *telegrams[3:]))
    assert any("経路保留" in check.ja for check in wrong(found))


# --- what else is compared

TOLD = Told(name="a", kind="sale", reference="r", amount=3_060, at_once="being_cancelled", at_last="cancelled")
CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "told at once": ({"told": (msgspec.structs.replace(TOLD, at_once="approved"),)}, "利用側 a への回答"),
    "told at last": ({"told": (msgspec.structs.replace(TOLD, at_last="attention"),)}, "a の最終状態"),
    "told nothing": ({"told": ()}, "利用側 a への回答"),
    "it stands": ({"stands": (("sale", 3_060),)}, "帳簿"),
    "with a person": ({"attention": ("a",)}, "要対応一覧"),
    "no route was held": ({"held": ()}, "経路保留された要求"),
    "a route is still held": ({"still_held": ("a",)}, "終了後に残った経路保留"),
    "a rule was broken": ({"violations": ("trace_number_twice DNB00001: 53",)}, "規約違反"),
}


@of_each
@pytest.mark.parametrize(("changed", "named"), CHANGES.values(), ids=CHANGES)
def test_what_was_not_so_fails_the_case_and_is_named(case_id: str, changed: dict[str, Any], named: str) -> None:
    found = judged(case_of(case_id), **changed)
    assert found.verdict is Verdict.FAILED
    assert any(named in check.ja for check in wrong(found))


@pytest.mark.parametrize("field", ["stands", "attention", "held", "still_held", "violations"])
def test_at_the_partners_side_what_was_not_looked_at_is_never_taken_for_right(field: str) -> None:
    assert judged(case_of("CAF-D-306"), **{field: None}).verdict is Verdict.FAILED


def steps_with(observation: Observation, done: Done) -> Observation:
    last = msgspec.structs.replace(observation.steps[-1], done=done, remark="why")
    return msgspec.structs.replace(observation, steps=(*observation.steps[:-1], last))


def test_a_step_that_failed_fails_the_case_and_one_that_was_not_done_leaves_it_not_run() -> None:
    case, partner = case_of("CAF-D-306"), partner_named("cafis")
    right = observed(partner, case)
    assert judge(case, steps_with(right, Done.FAILED), partner).verdict is Verdict.FAILED
    undone = judge(case, steps_with(right, Done.NOT_DONE), partner)
    assert undone.verdict is Verdict.NOT_RUN
    assert "why" in undone.reason_ja


# --- from the gateway's side


def from_gateway(case: Case, change: Callable[[Observation], Observation] = lambda each: each) -> Judgement:
    """The same run as the gateway's topics tell it: no bytes, no books."""
    partner = partner_named(case.partner)
    right = observed(partner, case)
    bare = [
        msgspec.structs.replace(each, fields=(), dump=(), size=None, values={"amount": each.values["amount"]})
        for each in right.telegrams or ()
    ]
    seen = msgspec.structs.replace(
        right, side=Side.GATEWAY, telegrams=tuple(bare), stands=None, balance=None, violations=None
    )  # fmt: skip
    return judge(case, change(seen), partner)


def test_what_the_gateway_cannot_see_is_counted_and_does_not_fail_the_case() -> None:
    found = from_gateway(case_of("CAF-D-306"))
    assert found.verdict is Verdict.PASSED
    assert found.unseen > 5
    books = next(check for check in found.checks if "帳簿" in check.ja)
    assert books.mark is Mark.UNSEEN


@pytest.mark.parametrize(("agree", "verdict"), [(True, Verdict.PASSED), (False, Verdict.FAILED)])
def test_a_persons_word_on_the_books_counts(agree: bool, verdict: Verdict) -> None:
    found = from_gateway(
        case_of("CAF-D-306"), lambda each: msgspec.structs.replace(each, books_agree=agree, books_by="佐藤")
    )  # fmt: skip
    assert found.verdict is verdict
    assert any("佐藤" in check.actual for check in found.checks)


def test_a_telegram_about_a_line_is_out_of_the_gateways_sight() -> None:
    case, partner = case_of("CAF-D-504"), partner_named("cafis")
    seen = observed(partner, case, telegrams=(), told=(), held=(), steps=())
    assert judge(case, seen, partner).verdict is Verdict.FAILED
    from_ours = judge(case, msgspec.structs.replace(seen, side=Side.GATEWAY, stands=None, violations=None), partner)
    assert from_ours.verdict is Verdict.PASSED
    assert from_ours.unseen == 4


# --- several at once, in any order


def load(case: Case, answers: list[int]) -> Judgement:
    """Three sales at once, and reports with these trace numbers."""
    partner = partner_named(case.partner)
    three = msgspec.structs.replace(
        case, any_order=True, held=(), steps=(AskStep(kind="sale", amount=3_060, count=3, told="approved"),),  # type: ignore[arg-type]
        stands=("a",),
        telegrams=read_expected(("→ sale amount=a times=3", "← sale_report answers=1 amount=a times=3")),
    )  # fmt: skip
    sent = [passed(partner, "→", Role.SALE_REQUEST, trace_number=at, route_number=at, amount=3_060) for at in (1, 2, 3)]
    came = [passed(partner, IN, Role.SALE_REPORT, trace_number=at, route_number=at, amount=3_060) for at in answers]
    told = tuple(msgspec.structs.replace(TOLD, at_once="approved", at_last=None) for _ in range(3))
    seen = observed(
        partner, three, telegrams=(sent[0], *came, *sent[1:]), told=told, held=(), stands=(("sale", 3_060),) * 3
    )  # fmt: skip
    return judge(three, seen, partner)


def test_several_at_once_may_come_in_any_order_but_each_answers_one() -> None:
    case = case_of("CAF-D-306")
    assert load(case, [3, 1, 2]).verdict is Verdict.PASSED
    assert load(case, [3, 1, 4]).verdict is Verdict.FAILED
    assert load(case, [3, 1]).verdict is Verdict.FAILED
    assert load(case, [3, 1, 2, 2]).verdict is Verdict.FAILED


def test_at_least_takes_more() -> None:
    case, partner = case_of("CAF-D-306"), partner_named("cafis")
    probe = expecting(msgspec.structs.replace(case, held=(), any_order=True), "→ keepalive times=lines+")
    probe = msgspec.structs.replace(probe, steps=())
    for many, verdict in ((1, Verdict.FAILED), (2, Verdict.PASSED), (5, Verdict.PASSED)):
        telegrams = tuple(passed(partner, "→", Role.KEEPALIVE_REQUEST, trace_number=at + 1) for at in range(many))
        assert judge(probe, observed(partner, probe, telegrams=telegrams, told=(), held=()), partner).verdict is verdict
