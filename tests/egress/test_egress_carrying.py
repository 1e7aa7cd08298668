"""A CAFIS line that carries CARDNET's telegrams too (MC 回線), as tables: what stands in brackets goes in an envelope.

Those of `own` are CAFIS' own.
"""

from typing import Any

import pytest
from test_egress_core import CARDNET, MIDNIGHT, PAN, Rig, sent_record, steps

from egress.acts import Act, Tell
from egress.jobs import Takeover
from schemas.japan_time import business_date
from schemas.records import ReportReceived, StrayTelegram, TelegramSent
from schemas.telegrams import ENVELOPES, REPORT_OF, Message, Outcome, Role, load_partner

CARRIES = [{"partner": "cardnet", "code": "JCN1", "company_code": "06290001"}]

SCENARIOS = {
    "approved": """
            0 ask a             -> sent a#0 t1 r1
            0 ask own           -> sent own#0 t2 r2
            1 stored            -> transmit [sale_request t1 r1], transmit sale_request t2 r2
           50 approved a        -> report a approved
           51 approved own      -> report own approved
    """,
    "declined, turned round, and in error": """
            0 ask a             -> sent a#0 t1 r1
            0 ask b             -> sent b#0 t2 r2
            0 ask c             -> sent c#0 t3 r3
            1 stored            -> transmit [sale_request t1 r1], transmit [sale_request t2 r2], \
transmit [sale_request t3 r3]
           50 declined b        -> report b declined
           51 turned_round a    -> report a turned_round
           52 error c           -> report c in_error
    """,
    "silence: the confirm goes out on the route of its request, and its report ends the hold": """
            0 ask a             -> sent a#0 t1 r1
            1 stored            -> transmit [sale_request t1 r1]
         1002 due               -> hold r1 a, missing a silence
         1003 ask own           -> sent own#0 t2 r2
         1010 8930 a 1          -> sent a#1 t3 r1
         1011 stored            -> transmit sale_request t2 r2, transmit [fault_confirm t3 r1]
         1050 done a            -> cancel a#1 done
         1060 release a         -> free r1
    """,
    "undeliverable: 8910, 8920": """
            0 ask a             -> sent a#0 t1 r1
            1 stored            -> transmit [sale_request t1 r1]
           50 approved a        -> report a approved
          900 8910 a 1          -> sent a#1 t2 r1
          901 stored            -> hold r1 a, transmit [fault_cancel t2 r1]
          950 trouble a         -> cancel a#1 E13
         2000 8920 a 2          -> sent a#2 t3 r1
         2001 stored            -> transmit [fault_cancel_again t3 r1]
         2050 done a            -> cancel a#2 done
    """,
    "the line's own partner says that the envelope was in error: nothing was passed on": """
            0 ask a             -> sent a#0 t1 r1
            1 stored            -> transmit [sale_request t1 r1]
           50 envelope_error a  -> report a in_error
           51 envelope_error a  -> stray
           52 approved a        -> stray
    """,
    "answered without an envelope, in the other partner's layouts, or in those of this one: all strays": """
            0 ask a             -> sent a#0 t1 r1
            1 stored            -> transmit [sale_request t1 r1]
           50 bare a            -> stray
           51 as_own a          -> stray
         1002 due               -> hold r1 a, missing a silence
    """,
    "a report of another amount answers nothing": """
            0 ask a             -> sent a#0 t1 r1
            1 stored            -> transmit [sale_request t1 r1]
           50 approved a less   -> stray
    """,
    "the line breaks": """
            0 ask a             -> sent a#0 t1 r1
            1 stored            -> transmit [sale_request t1 r1]
            2 broken            -> hold r1 a, missing a line_broke, line failed
            3 opened            -> line opening, transmit opening_request, line open
            4 approved a        -> late a approved
    """,
    "of a partner that it does not carry": """
            0 ask stranger      -> withheld stranger#0 does_not_fit_telegram
            0 8930 stranger 1   -> withheld stranger#1 does_not_fit_telegram
            1 stored            -> never stranger does_not_fit_telegram, unsent stranger#1 does_not_fit_telegram
    """,
}


class CarryingRig(Rig):
    """Its partner also passes on what comes in envelopes."""

    def __init__(self, found: Takeover | None = None, **more: Any) -> None:
        self.inside: dict[str, Message] = {}
        super().__init__(found, carries=CARRIES, **more)

    def whose(self, who: str) -> str | None:
        return {"own": "cafis", "older": None, "stranger": "visa"}.get(who, "cardnet")

    def transmitted(self, data: bytes) -> str:
        told = super().transmitted(data)
        envelope = self.last.get(Role.ENVELOPE_REQUEST)
        if f"transmit {Role.ENVELOPE_REQUEST}" not in told or envelope is None:
            return told
        message = CARDNET.decode(bytes.fromhex(str(envelope.values["carried_telegram"])))
        trace, route = message.values["trace_number"], message.values["route_number"]
        assert told.endswith(f" t{trace} r{route}"), "the envelope has the numbers of what is inside"
        assert (envelope.values["carried_code"], envelope.values["company_code"]) == ("JCN1", "100001")
        assert message.values["company_code"] == "06290001"
        for who in [who for who, numbers in self.of_who.items() if numbers == trace]:
            self.inside[who] = message
        return f"transmit [{message.role} t{trace} r{route}]"

    def answer(self, what: str, now: int, who: str, *less: str) -> list[Act]:
        if who == "own":
            return super().answer(what, now, who, *less)
        return self.enveloped(CARDNET.encode(*self.report(what, who, *less)), now, who)

    def report(self, what: str, who: str, *less: str) -> tuple[Role, dict[str, Any]]:
        request = self.inside[who]
        role = Role.ERROR_REPORT if what == "error" else REPORT_OF[request.role]
        values = dict(request.values)
        outcome = {"done": Outcome.APPROVED, "trouble": Outcome.DECLINED}.get(what)
        if what in ("error", "trouble"):
            values["error_code"] = "E13"
        if what == "error":
            values["original_type_code"] = CARDNET.type_code(request.role)
        if what != "error":
            values["result_code"] = CARDNET.result_code_for(outcome or Outcome(what))
        if less:
            values["amount"] = 1
        return role, {name: value for name, value in values.items() if name in CARDNET.telegrams[role].names}

    def enveloped(self, inside: bytes, now: int, who: str = "", code: str = "JCN1") -> list[Act]:
        """In an envelope with the numbers of what was asked inside, where it is known."""
        values = self.partner.telegrams[Role.ENVELOPE_REPORT].sample()
        if who in self.inside:
            asked = self.inside[who].values
            values |= {name: asked[name] for name in ("trace_number", "route_number", "business_date")}
        values |= {"company_code": "100001", "carried_code": code, "carried_telegram": inside.hex()}
        return self.core.received(self.partner.encode(Role.ENVELOPE_REPORT, values), now + MIDNIGHT)

    def do_envelope_error(self, now: int, who: str) -> list[Act]:
        values = {**self.last[who].values, "error_code": "C03", "original_type_code": "7110"}
        names = self.partner.telegrams[Role.ERROR_REPORT].names
        told = {name: value for name, value in values.items() if name in names}
        return self.core.received(self.partner.encode(Role.ERROR_REPORT, told), now + MIDNIGHT)

    def do_bare(self, now: int, who: str) -> list[Act]:
        return self.core.received(CARDNET.encode(*self.report("approved", who)), now + MIDNIGHT)

    def do_as_own(self, now: int, who: str) -> list[Act]:
        report = self.partner.telegrams[Role.SALE_REPORT]
        asked = {**self.inside[who].values, "company_code": "100001"}
        values = report.sample() | {name: value for name, value in asked.items() if name in report.names}
        del values["error_code"]  # which an approval has not
        return self.core.received(self.partner.encode(Role.SALE_REPORT, values), now + MIDNIGHT)


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario_of_a_line_that_carries(name: str) -> None:
    rig = CarryingRig()
    assert rig.play("opened", 0) == "line opening, transmit opening_request, line open"
    for at, event, told in steps(SCENARIOS[name]):
        assert rig.play(event, at) == told, f"{at} {event}"


def strays(acts: list[Act]) -> list[str]:
    """Descriptions; there is nothing but strays."""
    records = [act.record for act in acts if isinstance(act, Tell)]
    assert len(records) == len(acts)
    return [record.description for record in records if isinstance(record, StrayTelegram)]


def test_what_cannot_be_read_or_is_for_nobody_in_an_envelope_is_kept_for_people_and_masked() -> None:
    rig = CarryingRig()
    rig.play("opened", 0)
    sale = CARDNET.encode(Role.SALE_REQUEST, CARDNET.telegrams[Role.SALE_REQUEST].sample() | {"pan": PAN})
    keepalive = CARDNET.encode(Role.KEEPALIVE_REQUEST, CARDNET.telegrams[Role.KEEPALIVE_REQUEST].sample())
    told = [
        strays(rig.enveloped(sale, 1)),
        strays(rig.enveloped(sale, 2, code="VISA")),
        strays(rig.enveloped(keepalive, 3)),
        strays(rig.enveloped(sale[:-3], 4)),
    ]
    firsts = [description.splitlines()[0] for (description,) in told]
    assert firsts[:3] == [
        "answers nothing that awaits an answer",
        "in an envelope of nobody whose telegrams are carried",
        "in an envelope, where nothing about a line belongs",
    ]
    assert firsts[3].startswith("in an envelope: cardnet telegram sale_request, field reference at byte ")
    text = repr(told)
    assert "会員番号 pan: 411111******1111" in text
    assert "搬送電文 carried_telegram: ***" in text
    assert PAN not in text
    assert PAN.encode().hex() not in text
    assert sale.hex() not in text


def test_our_own_envelope_sent_back_is_a_stray_and_the_line_hangs_up() -> None:
    rig = CarryingRig()
    for now, event in ((0, "opened"), (0, "ask a"), (1, "stored")):
        rig.play(event, now)
    envelope = rig.last[Role.ENVELOPE_REQUEST]
    acts = rig.core.received(rig.partner.encode(envelope.role, envelope.values), MIDNIGHT + 2)
    assert rig.seen(acts) == "line failed, hang looped, stray"
    assert rig.play("broken", 3) == "hold r1 a, missing a line_broke, line failed"


def inherited(*records: TelegramSent) -> CarryingRig:
    """A line whose last owner has left these on it."""
    found = Takeover(sent=records, known_since_ms=MIDNIGHT, position=0, holds=(), day_began_at=0)
    return CarryingRig(found)


def test_a_new_owner_finds_what_its_last_one_had_put_into_an_envelope_by_the_header_of_what_comes() -> None:
    rig = inherited(sent_record("a", 0, 40, 1, partner="cardnet"), sent_record("own", 1, 41, 2, partner="cafis"),
                    sent_record("older", 2, 42, 3))  # fmt: skip
    assert rig.taken == (
        "hold r1 a, missing a line_broke, hold r2 own, missing own line_broke, "
        "hold r3 older, missing older line_broke, line connecting, seek"
    )
    rig.play("opened", 1)
    rig.of_who = {}
    header = {"company_code": "06290001", "business_date": business_date(MIDNIGHT)}
    sample = CARDNET.telegrams[Role.SALE_REQUEST].sample() | header
    for who, trace, route in (("a", 40, 1), ("own", 41, 2), ("older", 42, 3)):
        rig.inside[who] = Message(Role.SALE_REQUEST, sample | {"trace_number": trace, "route_number": route})
    assert strays(rig.enveloped(CARDNET.encode(*rig.report("approved", "own")), 3)), (
        "that one had gone without envelope"
    )
    assert strays(rig.enveloped(CARDNET.encode(*rig.report("approved", "older")), 4))
    assert strays(rig.do_as_own(5, "a")), "that one had gone in an envelope"
    assert rig.play("approved a", 6) == "late a approved"
    assert rig.seen(rig.do_as_own(7, "own")) == "late own approved"
    assert rig.seen(rig.do_as_own(8, "older")) == "late older approved"


def test_an_error_report_about_an_envelope_that_was_inherited_finds_it() -> None:
    rig = inherited(sent_record("a", 0, 40, 1, partner="cardnet"))
    rig.play("opened", 1)
    header = {
        "company_code": "100001", "trace_number": 40, "route_number": 1, "business_date": business_date(MIDNIGHT),
    }  # fmt: skip
    rig.last["a"] = Message(
        Role.ENVELOPE_REQUEST, load_partner("cafis").telegrams[Role.ENVELOPE_REQUEST].sample() | header
    )
    (act,) = rig.do_envelope_error(2, "a")
    assert isinstance(act, Tell)
    assert isinstance(act.record, ReportReceived)
    assert (act.record.outcome, act.record.error_code, act.record.late) == (Outcome.IN_ERROR, "C03", True)


def test_what_the_last_owner_sent_for_one_whom_the_line_carries_no_more_is_in_doubt_and_its_cancel_a_persons() -> None:
    rig = inherited(sent_record("stranger", 0, 40, 1, partner="visa"))
    assert rig.taken == "hold r1 stranger, missing stranger line_broke, line connecting, seek"
    rig.play("opened", 1)
    rig.offset = 1
    assert rig.play("8930 stranger 1", 2) == "withheld stranger#1 does_not_fit_telegram"
    assert rig.play("due", 60_002 + 1_000).startswith("line open")


def test_a_line_that_carries_nobody_knows_no_envelope() -> None:
    rig = Rig()
    rig.play("opened", 0)
    for role in ENVELOPES:
        acts = rig.core.received(rig.partner.encode(role, rig.partner.telegrams[role].sample()), MIDNIGHT + 1)
        assert rig.seen(acts).endswith("stray")
