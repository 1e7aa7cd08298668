"""What telegrams say, as the partners' files tell it, and the writer's aid on the command line."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from schemas.telegrams import (
    FAULT_COMMANDS,
    REPORT_OF,
    ErrorClass,
    ListedValue,
    Message,
    Outcome,
    Role,
    load_partner,
    packaged,
)
from schemas.telegrams.__main__ import app
from schemas.telegrams.fields import TYPES, Encoding
from schemas.telegrams.reference import ENCODING_WORDS, TYPE_WORDS

PARTNERS = {name: load_partner(name) for name in packaged()}
OUTCOMES = [
    # partner, role, result code, outcome
    ("cafis", Role.SALE_REPORT, "000", Outcome.APPROVED),
    ("cafis", Role.SALE_REPORT, "D01", Outcome.DECLINED),
    ("cafis", Role.SALE_REPORT, "R01", Outcome.TURNED_ROUND),
    ("cafis", Role.SALE_REPORT, "zzz", None),
    ("cafis", Role.FAULT_CANCEL_REPORT, "000", Outcome.APPROVED),
    ("cafis", Role.FAULT_CONFIRM_REPORT, "X01", Outcome.DECLINED),
    ("cafis", Role.OPENING_ANSWER, "000", Outcome.APPROVED),
    ("cafis", Role.ERROR_REPORT, None, Outcome.IN_ERROR),
    ("cardnet", Role.SALE_REPORT, "00", Outcome.APPROVED),
    ("cardnet", Role.SALE_REPORT, "05", Outcome.DECLINED),
    ("cardnet", Role.REFUND_REPORT, "T1", Outcome.TURNED_ROUND),
    ("cardnet", Role.SALE_REPORT, "zz", None),
    ("cardnet", Role.FAULT_CONFIRM_REPORT, "96", Outcome.DECLINED),
    ("cardnet", Role.ERROR_REPORT, None, Outcome.IN_ERROR),
]


@pytest.mark.parametrize(("name", "role", "code", "outcome"), OUTCOMES)
def test_what_a_report_says(name: str, role: Role, code: str | None, outcome: Outcome | None) -> None:
    partner = PARTNERS[name]
    values = partner.telegrams[role].sample() | ({} if code is None else {"result_code": code})
    if outcome is Outcome.APPROVED:
        values.pop("error_code", None)  # beside an approval it would contradict it
    elif role not in (Role.FAULT_CANCEL_REPORT, Role.FAULT_CONFIRM_REPORT):
        values.pop("approval_code", None)  # and this beside anything else
    assert partner.classify(partner.decode(partner.encode(role, values))) is outcome


@pytest.mark.parametrize("name", PARTNERS)
def test_a_telegram_without_a_result_says_nothing(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} telegram sale_request carries no result_code"):
        PARTNERS[name].classify(Message(Role.SALE_REQUEST, {}))


@pytest.mark.parametrize(
    ("name", "code", "error_class", "japanese"),
    [
        ("cafis", "C13", ErrorClass.DESTINATION_TROUBLE, "被仕向センタ障害中"),
        ("cafis", "C14", ErrorClass.DESTINATION_TROUBLE, "被仕向センタ個別終了"),
        ("cafis", "C50", ErrorClass.DESTINATION_TROUBLE, "被仕向センタ報告待ちタイムアウト"),
        ("cafis", "C01", ErrorClass.TELEGRAM_ERROR, "会社コード誤り"),
        ("cafis", "C03", ErrorClass.TELEGRAM_ERROR, "電文長超過"),
        ("cafis", "C99", ErrorClass.TELEGRAM_ERROR, "不明なエラーコード"),
        ("cardnet", "E50", ErrorClass.DESTINATION_TROUBLE, "被仕向センタ報告待ちタイムアウト"),
        ("cardnet", "C13", ErrorClass.TELEGRAM_ERROR, "不明なエラーコード"),
    ],
)
def test_what_an_error_code_means(name: str, code: str, error_class: ErrorClass, japanese: str) -> None:
    error = PARTNERS[name].error(code)
    assert (error.code, error.error_class, error.japanese) == (code, error_class, japanese)


def test_the_fault_cancels_of_cafis_have_the_type_codes_of_the_acceptance_documents() -> None:
    cafis = PARTNERS["cafis"]
    assert [cafis.type_code(role) for role in FAULT_COMMANDS] == ["8910", "8920", "8930", "8940"]
    assert [cafis.type_code(REPORT_OF[role]) for role in FAULT_COMMANDS] == ["8950", "8950", "8960", "8960"]


@pytest.mark.parametrize("name", PARTNERS)
def test_the_code_of_an_outcome_means_that_outcome(name: str) -> None:
    partner = PARTNERS[name]
    for outcome in (Outcome.APPROVED, Outcome.DECLINED, Outcome.TURNED_ROUND):
        assert partner.result(partner.result_code_for(outcome)).outcome is outcome
    with pytest.raises(KeyError):
        partner.result_code_for(Outcome.IN_ERROR)


@pytest.mark.parametrize("name", PARTNERS)
def test_a_fault_cancel_that_was_not_done_has_a_code_of_its_own(name: str) -> None:
    partner = PARTNERS[name]
    own = partner.result(partner.result_code_for(Outcome.DECLINED, fault_cancel=True))
    assert (own.outcome, own.fault_cancel) == (Outcome.DECLINED, True)
    assert not partner.result(partner.result_code_for(Outcome.DECLINED)).fault_cancel
    done = partner.result_code_for(Outcome.APPROVED, fault_cancel=True)
    assert done == partner.result_code_for(Outcome.APPROVED), "where none is marked, any of the outcome"


def test_a_fault_report_about_another_attempt_or_original_does_not_match() -> None:
    for partner in PARTNERS.values():
        command = partner.telegrams[Role.FAULT_CONFIRM].sample()
        report = partner.telegrams[Role.FAULT_CONFIRM_REPORT].sample()
        key = partner.match_key(Role.FAULT_CONFIRM, command)
        assert partner.match_key(Role.FAULT_CONFIRM_REPORT, report) == key
        for name, other in (("trace_number", 1), ("original_trace_number", 1), ("original_business_date", "20250331")):
            assert partner.match_key(Role.FAULT_CONFIRM_REPORT, report | {name: other}) != key
        assert partner.match_key(Role.FAULT_CANCEL_REPORT, report) != key


def test_a_description_for_people() -> None:
    cafis = PARTNERS["cafis"]
    report = cafis.telegrams[Role.FAULT_CONFIRM_REPORT].sample() | {"result_code": "X01"}
    assert cafis.describe(cafis.decode(cafis.encode(Role.FAULT_CONFIRM_REPORT, report))).splitlines() == [
        "CAFIS（NTTデータ） 8960 取消確認報告 fault_confirm_report",
        "  会社コード company_code: 290001",
        "  営業日 business_date: 20250401",
        "  送信時刻 sent_time: 093015",
        "  処理通番 trace_number: 123456",
        "  経路番号 route_number: 7",
        "  端末識別番号 terminal_id: 4980123456789",
        "  原電文種別コード original_type_code: 1110（売上要求 sale request）",
        "  原処理通番 original_trace_number: 123455",
        "  原経路番号 original_route_number: 7",
        "  原営業日 original_business_date: 20250401",
        "  金額 amount: 12800",
        "  結果コード result_code: X01（取消未了（エラーコード参照） fault cancel not done, see the error code）",
        "  エラーコード error_code: C13（被仕向センタ障害中 destination centre in failure）",
    ]


def test_a_field_tells_what_its_values_mean() -> None:
    for partner in PARTNERS.values():
        request, report = partner.telegrams[Role.SALE_REQUEST], partner.telegrams[Role.SALE_REPORT]
        method = request.field("payment_method")
        assert method.meaning_of("10") == ListedValue("10", "一括払い", "one payment")
        assert method.meaning_of("99") is None
        assert request.field("amount").meaning_of(10) is None
        for code, result in partner.result_codes.items():
            assert report.field("result_code").meaning_of(code) == ListedValue(code, result.japanese, result.english)
        for code, error in partner.error_codes.items():
            assert report.field("error_code").meaning_of(code) == ListedValue(code, error.japanese, error.english)


def test_every_original_that_a_telegram_may_name_is_told_of() -> None:
    for partner in PARTNERS.values():
        codes = {listed.value for listed in partner.telegrams[Role.FAULT_CONFIRM].field("original_type_code").values}
        asked = [role for role in partner.telegrams if role in REPORT_OF or role is Role.ENVELOPE_REQUEST]
        assert codes == {partner.type_code(role) for role in asked}


def test_every_field_has_a_number_of_its_own_in_each_telegram() -> None:
    for partner in PARTNERS.values():
        for telegram in partner.telegrams.values():
            numbers = [field.number for field in telegram.fields]
            assert len(set(numbers)) == len(numbers)
            assert numbers[:2] == ["H-1", "H-2"]
            assert all(field.number == str(field.bit) for field in telegram.fields if field.bit is not None)


def test_every_type_and_encoding_has_words_for_people() -> None:
    assert list(TYPE_WORDS) == list(TYPES)
    assert list(ENCODING_WORDS) == list(Encoding)
    said = [words.japanese for words in (*TYPE_WORDS.values(), *ENCODING_WORDS.values())]
    assert len(set(said)) == len(said)


# --- command line ---------------------------------------------------------------------------------------------------


def test_check_says_ok_for_each_packaged_telegram() -> None:
    result = CliRunner().invoke(app, ["check"])
    assert result.exit_code == 0
    assert result.output.count(": ok\n") == sum(len(partner.telegrams) for partner in PARTNERS.values())
    assert "cafis 8930 取消確認指令 fault_confirm: ok\n" in result.output


def test_check_of_faulty_layouts_says_what_is_wrong_and_fails(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["check", str(tmp_path)])
    assert result.exit_code == 1
    assert f"{tmp_path.name}/partner.toml: the file is missing; every partner needs it\n" in result.output


@pytest.mark.parametrize(("name", "offset"), [("cafis", 68), ("cardnet", 44)])
def test_show_prints_each_field_with_its_place_and_the_bytes(name: str, offset: int) -> None:
    result = CliRunner().invoke(app, ["show", name, "fault_confirm"])
    partner = PARTNERS[name]
    data = partner.encode(Role.FAULT_CONFIRM, partner.telegrams[Role.FAULT_CONFIRM].sample())
    assert result.exit_code == 0
    for field in partner.telegrams[Role.FAULT_CONFIRM].fields:
        assert field.name in result.output
        assert field.japanese in result.output
    assert data.hex() in "".join(result.output.split())
    part = next(part for part in partner.dissect(data) if part.offset == offset)
    assert f"│{offset:>7} │" in result.output
    assert part.raw == data[offset : offset + len(part.raw)]


def test_show_of_an_unknown_partner_names_those_there_are() -> None:
    result = CliRunner().invoke(app, ["show", "visa", "sale_request"])
    assert result.exit_code == 1
    problem = "visa: no partner of this name comes with the package; use one of: cafis, cardnet;"
    assert problem in result.output
