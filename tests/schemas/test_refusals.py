"""Refusals: each with both languages, in order of precedence, and safe to show anywhere."""

import re

import pytest

from schemas.refusals import Refusal

JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")


@pytest.mark.parametrize("refusal", Refusal)
def test_a_refusal_has_a_text_in_both_languages(refusal: Refusal) -> None:
    assert refusal.english[0].islower()
    assert not refusal.english.endswith(".")
    assert refusal.english.isascii()
    assert JAPANESE.search(refusal.japanese)
    assert isinstance(refusal.retryable, bool)
    assert refusal.value == refusal.name.lower()


@pytest.mark.parametrize("refusal", Refusal)
def test_its_texts_have_no_place_for_what_the_client_sent(refusal: Refusal) -> None:
    assert not set("{}%") & set(refusal.english + refusal.japanese)


def test_no_two_refusals_say_the_same() -> None:
    for texts in ([each.english for each in Refusal], [each.japanese for each in Refusal]):
        assert len(set(texts)) == len(texts)


def test_only_what_may_pass_by_itself_is_worth_another_try() -> None:
    assert {each.value for each in Refusal if each.retryable} == {
        "expired",
        "original_still_in_process",
        "no_open_line",
        "station_closed",
        "partner_suspended",
        "line_suspended",
        "line_not_open",
        "not_sent_in_time",
        "no_free_route",
        "trace_numbers_exhausted",
    }


def test_who_is_asking_is_judged_before_what_is_asked_and_that_before_the_lines() -> None:
    order = [each.value for each in Refusal]
    assert order[0] == "unknown_customer"
    assert order.index("reference_has_other_content") < order.index("original_unknown") < order.index("no_open_line")
