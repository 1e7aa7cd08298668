"""Transactions as text tables: when, what is read, and after the arrow the stage and what goes out."""

import re
from typing import Any

import msgspec
import pytest

from router.acts import Dispatch, Forget, HandToFaults, Ignore, Input, Reply, Store, Wait, World
from router.config import PartnerTimes, Settings
from router.core import decide
from schemas.records import (
    CancelEnd,
    CancelSettled,
    DeadlinePassed,
    Doubt,
    InquiryAsked,
    Kind,
    NeverSent,
    Outcome,
    ReplyDelivered,
    ReplyUndeliverable,
    ReportMissing,
    ReportReceived,
    RequestAccepted,
    RequestInDoubt,
    Sealed,
    SendRequest,
    Stage,
    TransactionState,
)
from schemas.refusals import Refusal

SETTINGS = Settings(
    partners_of={"AP02": dict.fromkeys(Kind, "cafis"), "AP22": {Kind.SALE: "cardnet"}},
    times={"cafis": PartnerTimes(1_000, 4_000), "cardnet": PartnerTimes(1_000, 4_000)},
    partners_of_line={"cafis-1": ("cafis",), "cardnet-1": ("cardnet",)},
    report_grace_ms=500,
    confirm_ms=3_000,
    confirm_grace_ms=400,
    remember_ms=60_000,
)
SEALED = Sealed(key_id="card-1", nonce=b"n" * 12, ciphertext=b"c" * 40)

# The request is accepted at 0 with 5 s to live; deadline of the report: 1000 + 4000 + 500, of the confirmation +3400.
SCENARIOS = {
    "approved and delivered": """
            0 ask a            -> dispatched due 5500 | dispatch cafis-1 by 1000
          200 approved         -> replied due 3600 | reply approved #1 to a by 3200
          250 delivered 1      -> answered due 60250 |
        60250 due              -> - |
    """,
    "declined and delivered": """
            0 ask a            -> dispatched due 5500 | dispatch cafis-1 by 1000
          200 declined         -> replied due 3600 | reply declined #1 to a by 3200
          250 delivered 1      -> answered due 60250 |
    """,
    "turned round: told at once, nothing to cancel": """
            0 ask a            -> dispatched due 5500 | dispatch cafis-1 by 1000
          200 turned_round     -> returned due 60200 | reply turned_round #0 to a
          900 undeliverable 1  -> returned | ignore undeliverable_not_the_first
    """,
    "silence, then the cancel": """
            0 ask a            -> dispatched due 5500 | dispatch cafis-1 by 1000
         4200 silent           -> in_doubt | in doubt silence, reply being_cancelled #0 to a
         5000 settled cancelled -> cancelled due 65000 |
         5001 inquire b        -> cancelled | tell cancelled #0 to b
    """,
    "a late report changes nothing": """
            0 ask a            -> dispatched due 5500 | dispatch cafis-1 by 1000
         4200 silent           -> in_doubt | in doubt silence, reply being_cancelled #0 to a
         4300 late             -> in_doubt | ignore late_report
         5000 settled cancelled -> cancelled due 65000 |
         5100 late             -> cancelled | ignore late_report
    """,
    "a former owner of the line, frozen since, doubts what has been cancelled: its route is let go": """
            0 ask a            -> dispatched due 5500 | dispatch cafis-1 by 1000
         4200 silent           -> in_doubt | in doubt silence, reply being_cancelled #0 to a
         5000 settled cancelled -> cancelled due 65000 |
         5100 silent           -> cancelled | release cafis-1
    """,
    "the line says nothing: the deadline is the time-out": """
            0 ask a            -> dispatched due 5500 | dispatch cafis-1 by 1000
         5600 due              -> in_doubt | in doubt nobody_said, reply being_cancelled #0 to a
         5700 silent           -> in_doubt | ignore silence_after_the_end
         5800 settled nothing_sent -> refused due 65800 |
         5900 inquire b        -> refused | tell refused not_sent_in_time #0 to b
    """,
    "an outcome that stands before the deadline wins, however late it is read": """
            0 ask a            -> dispatched due 5500 | dispatch cafis-1 by 1000
         9000 approved         -> replied due 12400 | reply approved #1 to a by 12000
         9001 due of dispatched -> replied | ignore deadline_was_kept
    """,
    "a new owner of the line doubts what was answered: its route is let go": """
            0 ask a            -> dispatched due 5500 | dispatch cafis-1 by 1000
          200 approved         -> replied due 3600 | reply approved #1 to a by 3200
          300 silent           -> replied | release cafis-1
          400 delivered 1      -> answered due 60400 |
          500 silent           -> answered | release cafis-1
    """,
    "undeliverable": """
            0 ask a            -> dispatched due 5500 | dispatch cafis-1 by 1000
          200 approved         -> replied due 3600 | reply approved #1 to a by 3200
          900 undeliverable 1  -> undelivered | lost
          901 inquire b        -> undelivered | tell being_cancelled #1 to b
         1500 settled attention -> attention |
         1600 inquire b2       -> attention | tell attention #1 to b2
    """,
    "not confirmed in time": """
            0 ask a            -> dispatched due 5500 | dispatch cafis-1 by 1000
          200 approved         -> replied due 3600 | reply approved #1 to a by 3200
         3700 due              -> undelivered | lost
         3800 delivered 1      -> undelivered | ignore confirmed_after_the_end
    """,
    "the client reconnects and asks: a second delivery": """
            0 ask a            -> dispatched due 5500 | dispatch cafis-1 by 1000
          200 approved         -> replied due 3600 | reply approved #1 to a by 3200
          800 inquire b        -> replied due 4200 | tell approved #2 to b by 3800
          900 undeliverable 1  -> replied | ignore undeliverable_not_the_first
         1000 delivered 2      -> answered due 61000 |
    """,
    "a later delivery that fails says nothing about an earlier one": """
            0 ask a            -> dispatched due 5500 | dispatch cafis-1 by 1000
          200 approved         -> replied due 3600 | reply approved #1 to a by 3200
          800 inquire b        -> replied due 4200 | tell approved #2 to b by 3800
          900 undeliverable 2  -> replied | ignore undeliverable_not_the_first
          950 delivered 1      -> answered due 60950 |
    """,
    "a repeat with the same content gets the same answer": """
            0 ask a            -> dispatched due 5500 | dispatch cafis-1 by 1000
          100 ask b            -> dispatched due 5500 |
          200 approved         -> replied due 3600 | reply approved #1 to b by 3200
          250 delivered 1      -> answered due 60250 |
          300 ask c            -> answered | reply approved #1 to c
    """,
    "a repeat with other content is an error and changes nothing": """
            0 ask a            -> dispatched due 5500 | dispatch cafis-1 by 1000
          100 ask b other      -> dispatched | reply refused reference_has_other_content #0 to b
          200 approved         -> replied due 3600 | reply approved #1 to a by 3200
    """,
    "never sent": """
            0 ask a            -> dispatched due 5500 | dispatch cafis-1 by 1000
           50 never sent       -> refused due 60050 | reply refused line_not_open #0 to a
          100 ask b            -> refused | reply refused line_not_open #0 to b
          200 late             -> refused | ignore late_report
    """,
    "read again after a crash: the same acts": """
            0 ask a            -> dispatched due 5500 | dispatch cafis-1 by 1000
            9 ask a            -> dispatched | dispatch cafis-1 by 1000
          200 approved         -> replied due 3600 | reply approved #1 to a by 3200
          209 approved         -> replied | reply approved #1 to a by 3200
          210 ask a            -> replied | ignore request_again
          900 undeliverable 1  -> undelivered | lost
          909 undeliverable 1  -> undelivered | lost
         1500 settled cancelled -> cancelled due 61500 |
         1509 settled cancelled -> cancelled | ignore settled_again
    """,
    "silence read again": """
            0 ask a            -> dispatched due 5500 | dispatch cafis-1 by 1000
         4200 silent           -> in_doubt | in doubt silence, reply being_cancelled #0 to a
         4209 silent           -> in_doubt | in doubt silence, reply being_cancelled #0 to a
    """,
    "read too late to be sent": """
         1001 ask a            -> refused due 61001 | reply refused expired #0 to a
    """,
    "an inquiry about nothing": """
            0 inquire a        -> - | tell unknown #0 to a
    """,
    "things about nothing are counted": """
            0 approved         -> - | ignore report_of_unknown
            0 delivered 1      -> - | ignore delivery_of_unknown
            0 settled cancelled -> - | ignore settlement_of_unknown
    """,
}


def request(**changed: Any) -> RequestAccepted:
    base: dict[str, Any] = {
        "transaction_id": "AP02:r1",
        "request_id": "a",
        "customer": "AP02",
        "reference": "r1",
        "original_reference": None,
        "kind": Kind.SALE,
        "terminal_id": "4000000000001",
        "amount": 1_200,
        "payment_method": "10",
        "card": SEALED,
        "sensitive": None,
        "content_digest": "d1",
        "slot": 0,
        "session": "s",
        "accepted_ms": 0,
        "expires_ms": 5_000,
    }
    return RequestAccepted(**{**base, **changed})


def _record(text: str, now: int, dues: dict[str, int], state: TransactionState | None) -> Input:
    tx = {"transaction_id": "AP02:r1"}
    sent = {"line": "cafis-1", "trace_number": 7, "route_number": 3, "business_date": "20261124"}
    match text.split():
        case ["ask", who]:
            return request(request_id=who, session=who)
        case ["ask", who, "other"]:
            return request(request_id=who, session=who, content_digest="d2")
        case ["inquire", who]:
            return InquiryAsked(
                **tx, request_id=who, customer="AP02", reference="r1", slot=0, session=who, asked_ms=now
            )
        case [("approved" | "declined" | "turned_round" | "late") as what]:
            return ReportReceived(
                **tx, **sent,
                outcome=Outcome.APPROVED if what == "late" else Outcome(what),
                result_code="000", approval_code="A1", error_code=None, late=what == "late", received_ms=0,
            )  # fmt: skip
        case ["silent"]:
            return ReportMissing(**tx, **sent, doubt=Doubt.SILENCE, noticed_ms=now)
        case ["never", "sent"]:
            return NeverSent(**tx, line="cafis-1", refusal=Refusal.LINE_NOT_OPEN, noticed_ms=now)
        case ["delivered", number]:
            return ReplyDelivered(**tx, delivery_no=int(number), confirmed_ms=now)
        case ["undeliverable", number]:
            return ReplyUndeliverable(**tx, delivery_no=int(number), reason="session_gone", noticed_ms=now)
        case ["settled", end]:
            return CancelSettled(**tx, end=CancelEnd(end), reason=None, settled_ms=now)
        case ["due", *of]:
            stage = of[1] if of else state.stage if state else "-"
            return DeadlinePassed(**tx, deadline=stage, due_ms=dues[stage], noticed_ms=now)
        case _:
            raise AssertionError(text)


class Player:
    """Keeps the state of one transaction while records are played to it."""

    def __init__(self, world: World | None = None) -> None:
        self.world = world or World(SETTINGS, {"cafis": ["cafis-1"], "cardnet": []})
        self.state: TransactionState | None = None

    def play(self, record: Input, now: int, original: TransactionState | None = None, *, waited: bool = False) -> str:
        out = []
        due = ""
        for act in decide(record, self.state, original, self.world, now, waited=waited):
            match act:
                case Store():
                    self.state = act.state
                    due = f" due {act.state.due_ms}" if act.state.due_ms else ""
                case Forget():
                    self.state = None
                case Dispatch(record=SendRequest() as order):
                    out.append(f"dispatch {act.line} by {order.send_by_ms}")
                case Dispatch():
                    out.append(f"release {act.line}")
                case Reply():
                    said = act.record
                    refusal = f" {said.refusal}" if said.refusal else ""
                    by = f" by {said.confirm_by_ms}" if said.confirm_by_ms else ""
                    verb = "tell" if said.inquiry else "reply"
                    out.append(f"{verb} {said.status}{refusal} #{said.delivery_no} to {said.session}{by}")
                case HandToFaults():
                    out.append(f"in doubt {act.record.doubt}" if isinstance(act.record, RequestInDoubt) else "lost")
                case Wait():
                    out.append("wait")
                case Ignore():
                    out.append(f"ignore {act.why}")
        stage = self.state.stage if self.state else "-"
        return f"{stage}{due} | {', '.join(out)}".rstrip()


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(name: str) -> None:
    player = Player()
    dues: dict[str, int] = {}
    played, expected = [], []
    for line in SCENARIOS[name].strip().splitlines():
        found = re.fullmatch(r"\s*(\d+) (.*?)\s+-> (.*?)\s*", line)
        assert found, line
        now, what, then = int(found[1]), found[2], found[3]
        played.append(f"{now} {what} -> {player.play(_record(what, now, dues, player.state), now)}")
        expected.append(f"{now} {what} -> {then}")
        if player.state is not None and player.state.due_ms is not None:
            dues[player.state.stage] = player.state.due_ms
    assert played == expected


def _original(outcome: str = "approved", **changed: Any) -> TransactionState:
    player = Player()
    player.play(request(**changed), 0)
    player.play(_record(outcome, 100, {}, None), 100)
    player.play(_record("delivered 1", 200, {}, None), 200)
    assert player.state is not None
    return player.state


FOLLOW_UP = {"transaction_id": "AP02:r2", "reference": "r2", "original_reference": "r1"}


@pytest.mark.parametrize(
    ("changed", "original", "open_lines", "refusal"),
    [
        ({"customer": "AP99"}, None, True, Refusal.UNKNOWN_CUSTOMER),
        ({"customer": "AP22", "kind": Kind.REFUND}, None, True, Refusal.KIND_NOT_CONTRACTED),
        ({"kind": Kind.CANCEL, **FOLLOW_UP}, None, True, Refusal.ORIGINAL_UNKNOWN),
        ({"kind": Kind.REFUND, **FOLLOW_UP}, _original("declined"), True, Refusal.ORIGINAL_NOT_APPROVED),
        ({"kind": Kind.REFUND, **FOLLOW_UP, "amount": 1_201}, _original(), True, Refusal.AMOUNT_EXCEEDS_ORIGINAL),
        ({}, None, False, Refusal.NO_OPEN_LINE),
        ({"expires_ms": 10}, None, False, Refusal.EXPIRED),  # stands before the closed line
    ],
)
def test_refusals(
    changed: dict[str, Any], original: TransactionState | None, open_lines: bool, refusal: Refusal
) -> None:
    player = Player(World(SETTINGS, {"cafis": ["cafis-1"] if open_lines else [], "cardnet": []}))
    told = player.play(request(**changed), 500, original)
    assert told == f"refused due 60500 | reply refused {refusal} #0 to s"


def test_an_original_in_process_is_not_followed_up_yet() -> None:
    player = Player()
    player.play(request(), 0)
    told = Player().play(request(kind=Kind.CANCEL, **FOLLOW_UP), 10, player.state)
    assert told == f"refused due 60010 | reply refused {Refusal.ORIGINAL_STILL_IN_PROCESS} #0 to s"


def _replied() -> TransactionState:
    player = Player()
    player.play(request(), 0)
    player.play(_record("approved", 100, {}, None), 100)
    assert player.state is not None
    return player.state


ASKED = request(kind=Kind.CANCEL, **FOLLOW_UP)
WORLD = World(SETTINGS, {"cafis": ["cafis-1"], "cardnet": []})
STILL = f"refused due 60500 | reply refused {Refusal.ORIGINAL_STILL_IN_PROCESS} #0 to s"
NOT_APPROVED = f"refused due 60500 | reply refused {Refusal.ORIGINAL_NOT_APPROVED} #0 to s"


@pytest.mark.parametrize("changed", [{}, {"expires_ms": 10}, {"amount": 1_201}, {"customer": "AP99"}])
def test_a_follow_up_of_a_replied_original_waits_behind_the_confirmations_whatever_else_is_wrong(
    changed: dict[str, Any],
) -> None:
    asked = request(kind=Kind.CANCEL, **FOLLOW_UP | changed)
    assert decide(asked, None, _replied(), WORLD, 500) == [Wait(asked)]


@pytest.mark.parametrize(
    ("then", "told"),
    [
        ("-", STILL),  # its client was not told of an end before it asked
        ("delivered 1", "dispatched due 5500 | dispatch cafis-1 by 1000"),
        ("undeliverable 1", STILL),
        ("due", STILL),
    ],
)
def test_a_follow_up_that_has_waited_is_decided_by_what_stood_in_front_of_it(then: str, told: str) -> None:
    original = Player()
    original.state = _replied()
    if then != "-":
        assert original.state.due_ms is not None
        original.play(_record(then, 400, {Stage.REPLIED: original.state.due_ms}, original.state), 400)
    player = Player()
    assert player.play(ASKED, 500, original.state, waited=True) == told
    assert player.play(ASKED, 501, original.state, waited=True).endswith(told.partition("|")[2]), (
        "a copy: the same acts"
    )


def test_a_follow_up_that_is_known_waits_no_more() -> None:
    player = Player()
    player.play(ASKED, 500, _original())
    assert player.play(ASKED, 501, _replied()) == "dispatched | dispatch cafis-1 by 1000"


@pytest.mark.parametrize("stage", [stage for stage in Stage if stage is not Stage.REPLIED])
def test_a_follow_up_waits_for_no_original_that_nobody_can_confirm(stage: Stage) -> None:
    original = msgspec.structs.replace(_original(), stage=stage)
    assert not [act for act in decide(ASKED, None, original, WORLD, 500) if isinstance(act, Wait)]


def test_a_follow_up_names_its_original_and_goes_to_its_partner() -> None:
    player = Player()
    acts = decide(request(kind=Kind.CANCEL, **FOLLOW_UP), None, _original(), player.world, 10)
    (dispatch,) = [act for act in acts if isinstance(act, Dispatch)]
    assert dispatch.line == "cafis-1"
    assert dispatch.record.original is not None
    assert dispatch.record.original.trace_number == 7
    assert dispatch.record.original.approval_code == "A1"


def test_a_follow_up_goes_over_its_originals_line_while_that_is_open() -> None:
    def line(reference: str, *opened: str) -> str:
        world = World(SETTINGS, {"cafis": list(opened), "cardnet": []})
        asked = request(kind=Kind.CANCEL, **FOLLOW_UP | {"transaction_id": f"AP02:r1/{reference}"})
        (dispatch,) = [act for act in decide(asked, None, _original(), world, 10) if isinstance(act, Dispatch)]
        return dispatch.line

    references = [f"r{number}" for number in range(20)]
    assert {line(each, "cafis-0", "cafis-1", "cafis-2") for each in references} == {"cafis-1"}
    assert {line(each, "cafis-0", "cafis-2") for each in references} == {"cafis-0", "cafis-2"}


def test_a_request_goes_over_any_open_line_that_takes_its_partner_and_says_whose_it_is() -> None:
    def dispatched(number: int) -> Dispatch:
        world = World(SETTINGS, {"cafis": ["cafis-1"], "cardnet": ["cafis-1", "cardnet-1"]})
        asked = request(customer="AP22", kind=Kind.SALE, transaction_id=f"AP22:r{number}")
        (dispatch,) = [act for act in decide(asked, None, None, world, 10) if isinstance(act, Dispatch)]
        return dispatch

    acts = [dispatched(number) for number in range(20)]
    assert {act.line for act in acts} == {"cafis-1", "cardnet-1"}
    assert {act.record.partner for act in acts if isinstance(act.record, SendRequest)} == {"cardnet"}


def test_every_refusal_of_the_router_is_in_the_order_of_precedence() -> None:
    # The refusals the router tells stand in the enum in the order in which `router.intake` looks at them.
    order = list(Refusal)
    asked = [Refusal.UNKNOWN_CUSTOMER, Refusal.KIND_NOT_CONTRACTED, Refusal.EXPIRED, Refusal.ORIGINAL_UNKNOWN]
    asked += [Refusal.ORIGINAL_STILL_IN_PROCESS, Refusal.ORIGINAL_NOT_APPROVED, Refusal.AMOUNT_EXCEEDS_ORIGINAL]
    asked += [Refusal.NO_OPEN_LINE]
    assert [order.index(each) for each in asked] == sorted(order.index(each) for each in asked)


def test_an_answer_asked_for_again_and_again_gets_no_more_time() -> None:
    player = Player()
    player.play(request(), 0)
    player.play(_record("approved", 100, {}, None), 100)
    for number in range(40):
        player.play(_record(f"inquire i{number}", 200 + number, {}, None), 200 + number)
    assert player.state is not None
    assert player.state.delivery_no == 16
    assert player.state.due_ms is not None
    assert player.state.due_ms < 200 + 39 + SETTINGS.confirm_ms + SETTINGS.confirm_grace_ms
