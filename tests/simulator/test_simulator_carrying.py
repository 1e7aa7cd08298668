"""A CAFIS centre that passes on what comes in envelopes: to a CARDNET centre in it, or to the one that there is."""

import contextlib

import pytest
from centre_rig import PAN, Line, partner_named, values_for
from socket_rig import HOST, serving

from schemas.telegrams import DecodeError, Message, Outcome, Role, Value
from simulator.__main__ import main
from simulator.acts import GARBAGE, NOISE
from simulator.centre import Centre
from simulator.control import Control, ControlError
from simulator.deeds import Deed
from simulator.entries import EntryKey
from simulator.rules import Rule, Rules

CAFIS, CARDNET = partner_named("cafis"), partner_named("cardnet")
KEY = EntryKey("DNB00001", "20261124", 7)


def centres(*rules: Rule) -> tuple[Centre, Centre]:
    """CAFIS', and CARDNET's with these rules, to which it passes on."""
    cardnet = Centre(CARDNET, Rules(rules))
    return Centre(CAFIS, Rules(), carries={"JCN1": cardnet}), cardnet


def envelope(role: Role, *, code: str = "JCN1", **given: Value) -> dict[str, Value]:
    """The values of an envelope around a telegram of CARDNET."""
    numbers = {"trace_number": 7, "route_number": 3, **given}
    inside = CARDNET.encode(role, values_for(CARDNET, role, **numbers))
    return {**numbers, "carried_code": code, "carried_telegram": inside.hex()}


def sent(line: Line, role: Role, **given: Value) -> list[Message]:
    """What comes back in envelopes."""
    return opened(line.send(Role.ENVELOPE_REQUEST, **envelope(role, **given)))


def opened(heard: list[Message]) -> list[Message]:
    found = []
    for each in heard:
        assert (each.role, each.values["carried_code"]) == (Role.ENVELOPE_REPORT, "JCN1")
        found.append(CARDNET.decode(bytes.fromhex(str(each.values["carried_telegram"]))))
    return found


def test_what_is_inside_is_booked_by_whom_it_is_for_and_answered_in_an_envelope() -> None:
    cafis, cardnet = centres()
    (report,) = sent(Line(cafis), Role.SALE_REQUEST)
    assert (report.role, CARDNET.classify(report)) == (Role.SALE_REPORT, Outcome.APPROVED)
    assert (cafis.ledger.balance(), cardnet.ledger.balance()) == (0, 1_200)
    assert cardnet.ledger.entries[KEY].answers == 1
    assert [*cafis.ledger.violations, *cardnet.ledger.violations] == []
    assert PAN not in repr(cafis.story())
    assert [(each.way, each.role) for each in cafis.story(since=3)] == [
        ("→", Role.ENVELOPE_REQUEST),
        ("←", Role.ENVELOPE_REPORT),
    ]


def test_the_envelope_has_the_numbers_of_what_it_answers() -> None:
    cafis, _ = centres()
    (answer,) = Line(cafis).send(Role.ENVELOPE_REQUEST, **envelope(Role.SALE_REQUEST))
    assert {"trace_number": 7, "route_number": 3, "carried_code": "JCN1"}.items() <= answer.values.items()


def test_a_cancel_telegram_in_an_envelope_cancels_what_came_in_one() -> None:
    cafis, cardnet = centres(Rule(do=Deed.SILENT, role=Role.SALE_REQUEST))
    line = Line(cafis)
    assert sent(line, Role.SALE_REQUEST) == []
    original: dict[str, Value] = {"original_trace_number": 7, "original_route_number": 3, "original_type_code": "0200"}
    (report,) = sent(line, Role.FAULT_CONFIRM, trace_number=8, **original)
    assert (report.role, CARDNET.classify(report)) == (Role.FAULT_CONFIRM_REPORT, Outcome.APPROVED)
    assert cardnet.ledger.entries[KEY].cancelled
    assert cardnet.ledger.violations == []


def test_what_came_directly_and_what_came_in_envelopes_stand_in_the_same_books() -> None:
    cafis, cardnet = centres()
    sent(Line(cafis, "DNB00001", 1), Role.SALE_REQUEST)
    direct = Line(cardnet, "DNB00002", 2)
    direct.send(Role.SALE_REQUEST, trace_number=7, route_number=3)
    assert cardnet.ledger.balance() == 2_400
    approval_code = cardnet.ledger.entries[KEY].approval_code
    assert approval_code is not None
    (refund,) = direct.send(
        Role.REFUND_REQUEST, trace_number=9, route_number=3, original_trace_number=7,
        original_approval_code=approval_code,
    )  # fmt: skip
    assert CARDNET.classify(refund) is Outcome.APPROVED, "of what came in an envelope"
    assert cardnet.ledger.balance() == 1_200
    assert cardnet.ledger.violations == []


def test_a_late_answer_comes_late_and_one_given_twice_comes_twice() -> None:
    cafis, cardnet = centres(Rule(do=Deed.LATE, amount=1), Rule(do=Deed.TWICE, amount=2))
    line = Line(cafis)
    assert sent(line, Role.SALE_REQUEST, amount=1) == []
    assert cardnet.ledger.entries[KEY].answers == 0
    (report,) = opened(line.pass_time())
    assert CARDNET.classify(report) is Outcome.APPROVED
    assert cardnet.ledger.entries[KEY].answers == 1
    assert len(sent(line, Role.SALE_REQUEST, amount=2, trace_number=8)) == 2


def test_what_means_nothing_comes_in_an_envelope_but_for_noise_which_breaks_the_line() -> None:
    cafis, _ = centres(Rule(do=Deed.GARBAGE, amount=1), Rule(do=Deed.NOISE, amount=2), Rule(do=Deed.DROP, amount=3))
    line = Line(cafis)
    assert sent(line, Role.SALE_REQUEST, amount=1) == []
    (payload,) = CAFIS.framing.deframer().feed(line.rubbish[0])
    inside = bytes.fromhex(str(CAFIS.decode(payload).values["carried_telegram"]))
    assert inside == GARBAGE
    with pytest.raises(DecodeError):
        CARDNET.decode(inside)
    assert sent(line, Role.SALE_REQUEST, amount=2, trace_number=8) == []
    assert line.rubbish[1:] == [NOISE]
    assert sent(line, Role.SALE_REQUEST, amount=3, trace_number=9) == []
    assert line.broken


def test_an_envelope_for_nobody_and_a_telegram_about_the_line_in_one_break_the_rules() -> None:
    cafis, cardnet = centres()
    line = Line(cafis)
    assert line.send(Role.ENVELOPE_REQUEST, **envelope(Role.SALE_REQUEST, code="VISA")) == []
    assert sent(line, Role.KEEPALIVE_REQUEST) == []
    line.send(Role.ENVELOPE_REQUEST, **envelope(Role.SALE_REQUEST, trace_number=8) | {"carried_telegram": "00"})
    told = [(each.broken.value, each.text) for each in (*cafis.ledger.violations, *cardnet.ledger.violations)]
    assert told == [
        ("envelope_of_what_is_not_passed_on", "an envelope for VISA"),
        ("envelope_of_what_is_not_passed_on", "keepalive_request in an envelope"),
        ("not_a_telegram", "cardnet telegram at byte 1: ends after 1 bytes, before the type code is complete"),
    ]


# --- with its sockets


def test_books_and_rules_are_asked_for_by_partner() -> None:
    with contextlib.ExitStack() as stack:
        served = stack.enter_context(serving("cafis", carries={"JCN1": Centre(CARDNET, Rules())}))
        own, carried, named, strange = (
            stack.enter_context(Control(HOST, served.server.control_port, partner=partner))
            for partner in (None, "cardnet", "cafis", "visa")
        )
        carried.behave(do="decline", role="sale_request", amount=4_000)
        assert (len(own.rules()), len(named.rules()), len(carried.rules())) == (0, 0, 1)
        line = stack.enter_context(served.line())
        for number, amount in ((7, 4_000), (8, 1_200)):
            line.ask(Role.ENVELOPE_REQUEST, **envelope(Role.SALE_REQUEST, trace_number=number, amount=amount))
        assert [row["outcome"] for row in carried.ledger()] == ["declined", "approved"]
        assert (own.balance(), named.balance(), carried.balance()) == (0, 0, 1_200)
        assert own.counters()["envelope_request"] == carried.counters()["sale_request"] == 2
        assert own.ping()["open"] == ["DNB00001"]
        carried.clear()
        assert carried.rules() == []
        with pytest.raises(ControlError, match="nothing of visa comes here: one of cafis, cardnet"):
            strange.ledger()


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["--partner", "cafis", "--carries", "JCN1=cardnet"], 0, "cafis: ok for simulator\n"),
        (["--partner", "cardnet", "--carries", "NTT1=cafis"], 2, "--carries: cardnet has no envelopes: remove it, or "),
        (["--partner", "cafis", "--carries", "JCN1=visa"], 2, "layouts of visa: 1 fault\n"),
    ],
)
def test_the_arguments_of_a_centre_that_passes_on(
    arguments: list[str], status: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--listen", f"{HOST}:0", "--check"]) == status
    out, err = capsys.readouterr()
    assert (out + err).startswith(told)


@pytest.mark.parametrize("text", ["JCN1", "=cardnet", "JCN1="])
def test_who_is_carried_must_be_said(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--partner", "cafis", "--listen", f"{HOST}:0", "--carries", text])
    assert f"{text!r} does not say who is carried: give CODE=PARTNER" in capsys.readouterr().err
