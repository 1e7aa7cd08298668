"""The test client asks again, under another reference, for what could not be taken yet."""

from types import SimpleNamespace
from typing import Any

import pytest

from acceptance.cards import CARDS
from acceptance.cases import AskStep, Environment, Manner
from acceptance.catalogue import load_catalogue
from acceptance.record import Done
from ops import acceptance_client
from ops.acceptance_client import Customer, Play, TestClient
from schemas.client_frames import reference_fault
from schemas.telegrams import load_partner

NOT_YET = "refused: original_still_in_process"
(CASE,) = [each for each in load_catalogue(load_partner("cafis"), Environment.DEV).cases if each.id == "CAF-D-103"]
CUSTOMER = Customer(("127.0.0.1", 1), "AP02", "token")


def client(monkeypatch: pytest.MonkeyPatch, answers: list[str]) -> tuple[TestClient, list[dict[str, Any]]]:
    """A client whose gateway answers so, and what it was asked."""
    asked: list[dict[str, Any]] = []

    def answer(_: Any, request: dict[str, Any]) -> str:
        asked.append(request)
        return answers.pop(0)

    monkeypatch.setattr(acceptance_client, "SyncClient", lambda *_, **__: SimpleNamespace())
    monkeypatch.setattr(acceptance_client, "told_by", answer)
    monkeypatch.setattr(acceptance_client, "_AGAIN_S", 0)
    return TestClient(CUSTOMER, CARDS, 1.0), asked


def play() -> Play:
    return Play(CASE, "4980000000001", "890186g", 0, {}, {}, 0)


def cancel(told: str = "approved") -> AskStep:
    (_, step) = CASE.asks
    return AskStep(kind=step.kind, amount=step.amount, told=told, name="b", follows="a")


def test_a_follow_up_that_came_too_early_is_asked_for_again_and_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    tester, asked = client(monkeypatch, [NOT_YET, NOT_YET, "approved"])
    playing = play()
    outcome = tester.ask(playing, cancel())
    assert outcome.done is Done.DONE
    assert "2 回再要求" in outcome.remark
    references = [each["reference"] for each in asked]
    assert references == ["CAF-D-103.890186g.b", "CAF-D-103.890186g.b.1", "CAF-D-103.890186g.b.2"]
    assert {each["original_reference"] for each in asked} == {"CAF-D-103.890186g.a"}
    assert [reference_fault(each) for each in references] == [None] * 3
    (told,) = playing.told
    assert (told.reference, told.at_once) == (references[-1], "approved")
    assert [each.told for each in tester.records] == [NOT_YET, NOT_YET, "approved"], "for the money report, all of them"
    assert set(playing.transactions.values()) == {"b"}


def test_what_follows_names_the_reference_that_was_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines that have just opened: the router hears of it a moment later."""
    tester, asked = client(monkeypatch, ["refused: no_open_line", "approved", "approved", "approved"])
    playing = play()
    tester.ask(playing, CASE.asks[0])
    tester.ask(playing, cancel())
    tester.ask(playing, AskStep(kind=CASE.asks[0].kind, amount=1, reference_of="a"))
    assert asked[1]["reference"] == "CAF-D-103.890186g.a.1"
    assert asked[2]["original_reference"] == asked[1]["reference"]
    assert asked[3]["reference"] == asked[1]["reference"]


def test_any_other_refusal_is_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    tester, asked = client(monkeypatch, ["refused: original_unknown"])
    playing = play()
    assert tester.ask(playing, cancel()).remark == ""
    assert len(asked) == 1
    assert playing.told[0].at_once == "refused: original_unknown"


def test_a_case_that_is_about_it_asks_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tester, asked = client(monkeypatch, [NOT_YET])
    tester.ask(play(), cancel(told=NOT_YET))
    assert len(asked) == 1


def test_it_does_not_ask_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acceptance_client, "_NOT_YET_S", -1)
    tester, asked = client(monkeypatch, [NOT_YET])
    playing = play()
    tester.ask(playing, cancel())
    assert (len(asked), playing.told[0].at_once) == (1, NOT_YET)


def test_several_at_once_have_references_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    tester, asked = client(monkeypatch, ["approved"] * 5)
    tester.ask(play(), AskStep(kind=CASE.asks[0].kind, amount=100, count=5))
    assert {each["reference"] for each in asked} == {f"CAF-D-103.890186g.a.{number}" for number in range(1, 6)}


def test_who_comes_back_inquires_until_his_request_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    tester, _ = client(monkeypatch, [])
    answers = ["unknown", "unknown", "approved", "never asked"]
    stranger = SimpleNamespace(ask=lambda _: None, close=lambda: None)
    monkeypatch.setattr(acceptance_client, "Stranger", lambda *_: stranger)
    monkeypatch.setattr(acceptance_client, "end_of", lambda *_: answers.pop(0))
    playing = play()
    tester.ask(playing, AskStep(kind=CASE.asks[0].kind, amount=100, manner=Manner.RETURNS))
    assert (playing.told[0].at_once, answers) == ("approved", ["never asked"])


def test_a_card_that_was_not_given_leaves_the_step_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    tester, asked = client(monkeypatch, [])
    tester.cards = {}
    assert tester.ask(play(), cancel()).done is Done.NOT_DONE
    assert asked == []
