"""The money report names what is broken, and nothing else; where nothing was looked at, nothing holds."""

from collections.abc import Callable
from typing import Any

import pytest
from money_rig import CARD, DAY, Scene

from ops.money import Evidence, Finding, report
from pipeline.owned import EPOCH, MARKER_KEY
from schemas.records import Kind, NotCancelled, Outcome, Stage
from schemas.refusals import Refusal


def clean() -> Scene:
    """One transaction of every end, and follow-ups."""
    scene = Scene()
    scene.answered("AP02:sale", 100)
    scene.answered("AP02:sale/refund", 101, Kind.REFUND, amount=400, moves=-400)
    scene.answered("AP02:hold", 102, Kind.AUTHORISATION, moves=0)
    scene.answered("AP02:hold/lift", 103, Kind.CANCEL, moves=0)
    scene.answered("AP02:poor", 104, outcome=Outcome.DECLINED)
    scene.cancelled("AP02:silent", 110)
    scene.handed_over("AP02:hard", 120)
    scene.refused("AP02:late")
    scene.answered("AP02:elsewhere", 100, line="cafis-2", amount=5_000)  # the number of AP02:sale, on another line
    return scene


def test_where_all_is_well_nobody_is_named() -> None:
    assert clean().offenders() == []


def test_every_finding_says_how_much_was_looked_at() -> None:
    assert [(finding.number, finding.looked_at) for finding in report(clean().evidence)] == [
        (1, "8 booked requests, 11 sent records"),
        (2, "9 accepted requests"),
        (3, "9 transactions of clients"),
        (4, "3 cancel telegrams of 2 transactions"),
        (5, "11 telegrams on 2 lines"),
        (6, "booked ¥6,600 = told ¥5,600 + with a person ¥1,000"),
        (7, "56 records, 0 kB of logs and metrics"),
    ]


Break = Callable[[Scene], Any]


def _relabel(scene: Scene, name: str, told: str | None) -> None:
    """Let the client have been told something else."""
    scene.clients[:] = [each for each in scene.clients if each.transaction_id != name]
    scene.told(name, told)


def _without(scene: Scene, topic: str, place: int) -> None:
    del scene.topics[topic][place]


def _entry(scene: Scene, number: int, **changes: Any) -> None:
    next(row for row in scene.ledger if row["trace_number"] == number).update(changes)


def _unsent(scene: Scene) -> None:
    """A transaction that claims to be answered, and of which the line knows nothing."""
    scene.accepted("AP02:ghost")
    scene.state("AP02:ghost", Stage.ANSWERED, Outcome.DECLINED)
    scene.delivered("AP02:ghost")
    scene.told("AP02:ghost", "declined")


def _returned_unsent(scene: Scene) -> None:
    scene.accepted("AP02:ghost")
    scene.state("AP02:ghost", Stage.RETURNED, Outcome.TURNED_ROUND)
    scene.told("AP02:ghost", "turned_round")


BROKEN: list[tuple[str, Break, list[tuple[int, str]]]] = [
    # --- 1
    (
        "booked twice",
        lambda scene: scene.booked(104, in_force=False),
        [(1, "AP02:poor was booked 2 times")],
    ),
    (
        "sent twice",
        lambda scene: scene.sent("AP02:poor", 130),
        [(1, "AP02:poor has 2 sent records")],
    ),
    (
        "booked, and nobody wrote down that it was sent",
        lambda scene: scene.booked(999, in_force=False),
        [(1, "trace number 999 of DNB00001 was booked without a sent record")],
    ),
    # --- 2
    (
        "accepted and forgotten",
        lambda scene: scene.accepted("AP02:b"),
        [(2, "AP02:b was accepted and has no state")],
    ),
    (
        "no end",
        lambda scene: (scene.accepted("AP02:b"), scene.state("AP02:b", Stage.DISPATCHED)),
        [(2, "AP02:b has not one end: none, it stands at dispatched")],
    ),
    (
        "two ends",
        lambda scene: scene.state("AP02:poor", Stage.CANCELLED),
        [
            (2, "AP02:poor has not one end: answered, cancelled"),
            (2, "AP02:poor ended as cancelled and was told declined"),
        ],
    ),
    (
        "an end that was left again",
        lambda scene: scene.state("AP02:poor", Stage.IN_DOUBT),
        [(2, "AP02:poor had ended as answered and went on to in_doubt")],
    ),
    (
        "an end that was left, and reached again",
        lambda scene: (
            scene.state("AP02:poor", Stage.DISPATCHED),
            scene.state("AP02:poor", Stage.ANSWERED, Outcome.DECLINED),
        ),
        [(2, "AP02:poor had ended as answered and went on to dispatched")],
    ),
    (
        "a late report that changed the answer",
        lambda scene: scene.state("AP02:poor", Stage.ANSWERED, Outcome.IN_ERROR),
        [
            (2, "AP02:poor ended as answered, and its answer changed afterwards"),
            (2, "AP02:poor ended as answered and was told declined"),
        ],
    ),
    (
        "refused, and refused otherwise afterwards",
        lambda scene: scene.state("AP02:late", Stage.REFUSED, refusal=Refusal.EXPIRED),
        [
            (2, "AP02:late ended as refused, and its answer changed afterwards"),
            (2, "AP02:late ended as refused and was told refused: no_open_line"),
        ],
    ),
    (
        "refused, and sent all the same",
        lambda scene: scene.sent("AP02:late", 130, "cafis-2"),
        [(2, "AP02:late ended as refused and was put on cafis-2")],
    ),
    (
        "refused, sent, and its cancel was not sent for another reason",
        lambda scene: (scene.sent("AP02:late", 130), scene.cancel_not_sent("AP02:late", NotCancelled.NOT_SENT_IN_TIME)),
        [(2, "AP02:late ended as refused and was put on cafis-1")],
    ),
    (
        "refused, and booked by the partner all the same",
        lambda scene: (scene.sent("AP02:late", 130), scene.never_sent("AP02:late"), scene.booked(130, in_force=False)),
        [(2, "AP02:late ended as refused and was booked by the partner")],
    ),
    ("answered, and never sent", _unsent, [(2, "AP02:ghost ended as answered and was put on no line")]),
    ("turned round, and never sent", _returned_unsent, [(2, "AP02:ghost ended as returned and was put on no line")]),
    (
        "answered, and nobody has the answer",
        lambda scene: _without(scene, "deliveries", 4),
        [(2, "AP02:poor ended as answered and nobody confirmed its answer")],
    ),
    (
        "cancelled by nobody's word",
        lambda scene: _without(scene, "cancel-reports", 0),
        [(2, "AP02:silent ended as cancelled and no cancel report says so")],
    ),
    (
        "cancelled by a report of trouble",
        lambda scene: (_without(scene, "cancel-reports", 0), scene.cancel_reported("AP02:silent", error_code="C13")),
        [(2, "AP02:silent ended as cancelled and no cancel report says so")],
    ),
    (
        "cancelled by an error report",
        lambda scene: (_without(scene, "cancel-reports", 0), scene.cancel_reported("AP02:silent", in_error=True)),
        [(2, "AP02:silent ended as cancelled and no cancel report says so")],
    ),
    (
        "handed to nobody",
        lambda scene: (_without(scene, "attention", 0), _entry(scene, 120, in_force=False, balance=0)),
        [(2, "AP02:hard ended with a person and stands on no attention list")],
    ),
    (
        "told declined, and cancelled",
        lambda scene: _relabel(scene, "AP02:silent", "declined"),
        [(2, "AP02:silent ended as cancelled and was told declined")],
    ),
    (
        "told two things",
        lambda scene: scene.told("AP02:silent", "turned_round"),
        [(2, "AP02:silent ended as cancelled and was told turned_round")],
    ),
    (
        "told cancelled, and with a person",
        lambda scene: scene.told("AP02:hard", "cancelled"),
        [(2, "AP02:hard ended as attention and was told cancelled")],
    ),
    (
        "told that it is being cancelled, and refused at once",
        lambda scene: scene.told("AP02:late", "being_cancelled"),
        [(2, "AP02:late ended as refused and was told being_cancelled")],
    ),
    (
        "told another refusal",
        lambda scene: _relabel(scene, "AP02:late", "refused: expired"),
        [(2, "AP02:late ended as refused and was told refused: expired")],
    ),
    (
        "told something, and never accepted",
        lambda scene: scene.told("AP02:b", "declined"),
        [(2, "AP02:b was told declined and never accepted")],
    ),
    (
        "told that it was not taken, and accepted",
        lambda scene: _relabel(scene, "AP02:poor", "rejected: invalid_request"),
        [(2, "AP02:poor was told rejected: invalid_request and accepted")],
    ),
    (
        "told that it was not sent, and accepted",
        lambda scene: _relabel(scene, "AP02:poor", "error: NotSent"),
        [(2, "AP02:poor was told error: NotSent and accepted")],
    ),
    # --- 3
    (
        "told approved, and gone from the books",
        lambda scene: _entry(scene, 100, in_force=False, balance=0),
        [
            (3, "AP02:sale was told approved and does not stand in the partner's books"),
            (6, "AP02:sale: the books hold ¥0, told ¥1,000"),
        ],
    ),
    (
        "a follow-up told approved, and not in the books",
        lambda scene: _entry(scene, 101, in_force=False, balance=0),
        [
            (3, "AP02:sale/refund was told approved and does not stand in the partner's books"),
            (6, "AP02:sale/refund: the books hold ¥0, told ¥-400"),
        ],
    ),
    (
        "told approved, and a cancel was ordered",
        lambda scene: scene.ordered("AP02:sale", 100),
        [(3, "AP02:sale was told approved and a cancel was ordered")],
    ),
    (
        "cancelled by the gateway's word, and still in the books",
        lambda scene: _entry(scene, 110, in_force=True, balance=1_000),
        [
            (3, "AP02:silent stands in the partner's books, and nobody was told approved"),
            (6, "AP02:silent: the books hold ¥1,000, told ¥0"),
        ],
    ),
    (
        "in the books, and its client was gone",
        lambda scene: _relabel(scene, "AP02:sale", None),
        [
            (3, "AP02:sale stands in the partner's books, and nobody was told approved"),
            (6, "AP02:sale: the books hold ¥1,000, told ¥0"),
        ],
    ),
    (
        "in the books, with a person who does not know it",
        lambda scene: _without(scene, "attention", 0),
        [
            (2, "AP02:hard ended with a person and stands on no attention list"),
            (3, "AP02:hard stands in the partner's books, and nobody was told approved"),
            (6, "AP02:hard: the books hold ¥1,000, told ¥0"),
        ],
    ),
    (
        "on the attention list, and ended otherwise",
        lambda scene: (scene.raised("AP02:silent"), _entry(scene, 110, in_force=True, balance=1_000)),
        [
            (3, "AP02:silent stands in the partner's books, and nobody was told approved"),
            (6, "AP02:silent: the books hold ¥1,000, told ¥0"),
        ],
    ),
    # --- 4
    (
        "cancels of two originals",
        lambda scene: scene.ordered("AP02:silent", 110, attempt=2, amount=900),
        [(4, "the cancels of AP02:silent name different originals")],
    ),
    (
        "cancels of another telegram than was sent",
        lambda scene: (
            scene.topics.update({"dispatch.cafis-1": []})
            or (
                scene.ordered("AP02:silent", 111),
                scene.ordered("AP02:hard", 120),
            )
        ),
        [(4, "AP02:silent went out as 110 of cafis-1, its cancel names 111 of cafis-1")],
    ),
    (
        "a cancel over another line",
        lambda scene: (
            scene.topics.update({"dispatch.cafis-1": []})
            or (
                scene.ordered("AP02:silent", 110, "cafis-2"),
                scene.ordered("AP02:hard", 120),
            )
        ),
        [(4, "AP02:silent went out as 110 of cafis-1, its cancel names 110 of cafis-2")],
    ),
    (
        "an attempt on the line twice",
        lambda scene: scene.sent("AP02:silent", 112, attempt=1),
        [(4, "attempt 1 of the cancel of AP02:silent has 2 sent records")],
    ),
    (
        "a cancel that nobody ordered",
        lambda scene: scene.sent("AP02:poor", 130, attempt=1),
        [(4, "AP02:poor was cancelled on the line, and nobody ordered it")],
    ),
    (
        "a rule of the line",
        lambda scene: scene.violations.append({"broken": "command_twice", "station": "DNB00001", "text": "8910 again"}),
        [(4, "cafis: command_twice: 8910 again")],
    ),
    # --- 5
    (
        "a number for two telegrams",
        lambda scene: (scene.ordered("AP02:hard", 120, attempt=3), scene.sent("AP02:hard", 104, attempt=3)),
        [(5, f"cafis-1 {DAY}: 104 2 times")],
    ),
    # --- 6
    (
        "another amount in the books",
        lambda scene: _entry(scene, 101, balance=-500),
        [(6, "AP02:sale/refund: the books hold ¥-500, told ¥-400")],
    ),
    (
        "two faults that make up for each other",
        lambda scene: (_entry(scene, 101, balance=-500), _entry(scene, 100, balance=1_100)),
        [
            (6, "AP02:sale: the books hold ¥1,100, told ¥1,000"),
            (6, "AP02:sale/refund: the books hold ¥-500, told ¥-400"),
        ],
    ),
    (
        "money of no request",
        lambda scene: scene.booked(999, 700),
        [
            (1, "trace number 999 of DNB00001 was booked without a sent record"),
            (6, "the books hold ¥700 that belong to no request"),
        ],
    ),
    # --- 7
    (
        "in a value",
        lambda scene: scene.raw("replies", key=b"k", value=b"pan " + CARD),
        [(7, "replies/0@0")],
    ),
    ("in a key", lambda scene: scene.raw("replies", key=CARD, value=b""), [(7, "replies/0@0")]),
    (
        "in a header",
        lambda scene: scene.raw("replies", key=None, value=None, headers=(("trace", CARD),)),
        [(7, "replies/0@0")],
    ),
    (
        "in a header's name",
        lambda scene: scene.raw("replies", key=None, value=None, headers=((CARD.decode(), b""),)),
        [(7, "replies/0@0")],
    ),
    ("in a log", lambda scene: scene.texts.update({"egress-0.log": b"sent " + CARD}), [(7, "egress-0.log")]),
    (
        "on a page",
        lambda scene: scene.texts.update({"metrics of router-0": b'x{card="' + CARD + b'"} 1'}),
        [(7, "metrics of router-0")],
    ),
    (
        "in groups of four",
        lambda scene: scene.texts.update(
            {"egress-0.log": b"sent 4111 1111 1111 1111", "router-0.log": b"4111-1111-1111-1111"}
        ),
        [(7, "router-0.log"), (7, "egress-0.log")],
    ),
    (
        "as packed digits",
        lambda scene: scene.raw("replies", key=b"k", value=b"\x00\x41\x11\x11\x11\x11\x11\x11\x11\x00"),
        [(7, "replies/0@0")],
    ),
    (
        "in EBCDIC",
        lambda scene: scene.raw("replies", key=b"k", value=CARD.decode().encode("cp037")),
        [(7, "replies/0@0")],
    ),
]


@pytest.mark.parametrize(("broken", "named"), [each[1:] for each in BROKEN], ids=[each[0] for each in BROKEN])
def test_what_is_broken_is_named_and_nothing_else(broken: Break, named: list[tuple[int, str]]) -> None:
    scene = clean()
    broken(scene)
    assert scene.offenders() == named


FINE: list[tuple[str, Break]] = [
    (
        "told at last by an inquiry",
        lambda scene: _relabel(scene, "AP02:sale", None) or scene.told("AP02:sale", "approved"),
    ),
    (
        "unknown to its client at first, and told by an inquiry",
        lambda scene: _relabel(scene, "AP02:sale", "error: OutcomeUnknown") or scene.told("AP02:sale", "approved"),
    ),
    ("told that it is in process, on the way", lambda scene: scene.told("AP02:silent", "in_process")),
    ("told the end by an inquiry", lambda scene: scene.told("AP02:silent", "cancelled")),
    ("told that a person has it", lambda scene: scene.told("AP02:hard", "attention")),
    (
        "asked for again with another amount, and refused",
        lambda scene: scene.clients.insert(
            0, scene.told("AP02:sale", "refused: reference_has_other_content", amount=9) or scene.clients.pop()
        ),
    ),
    ("rejected at the door", lambda scene: scene.told("AP02:b", "rejected: invalid_request")),
    ("asked for while it was in flight", lambda scene: scene.told("AP02:sale", "rejected: reference_in_flight")),
    ("hung up before it was accepted", lambda scene: scene.told("AP02:b", None)),
    ("asked about and unknown", lambda scene: scene.told("AP02:b", "unknown")),
    (
        "doubted, and never on the line: refused",
        lambda scene: (
            scene.accepted("AP02:b"),
            scene.state("AP02:b", Stage.IN_DOUBT, doubt="nobody_said"),
            scene.ordered("AP02:b", None),
            scene.state("AP02:b", Stage.REFUSED, doubt="nobody_said", refusal=Refusal.NOT_SENT_IN_TIME),
            scene.told("AP02:b", "being_cancelled"),
            scene.told("AP02:b", "refused: not_sent_in_time"),
        ),
    ),
    (
        "refused by a line that closed after it had written down that it sends",
        lambda scene: (scene.sent("AP02:late", 130), scene.never_sent("AP02:late")),
    ),
    (
        "refused by such a line, whose own word about the request was lost: its cancel was told",
        lambda scene: (
            scene.sent("AP02:late", 130),
            scene.cancel_not_sent("AP02:late", NotCancelled.ORIGINAL_NEVER_SENT),
        ),
    ),
    ("a state that is stored again", lambda scene: scene.state("AP02:poor", Stage.ANSWERED, Outcome.DECLINED, slot=1)),
    ("an order that is given again", lambda scene: scene.ordered("AP02:silent", 110)),
    (
        "the same number on the next day",
        lambda scene: (
            scene.ordered("AP02:hard", 120, attempt=3),
            scene.sent("AP02:hard", 104, attempt=3, day="20260402"),
        ),
    ),
    ("a state that is gone again", lambda scene: scene.raw("transactions", key=b"AP02:poor", value=None)),
    ("an owner's marker", lambda scene: scene.raw("transactions", key=MARKER_KEY, value=b"node1")),
]


@pytest.mark.parametrize("change", [each[1] for each in FINE], ids=[each[0] for each in FINE])
def test_what_may_happen_is_no_offence(change: Break) -> None:
    scene = clean()
    change(scene)
    assert scene.offenders() == []


def test_what_a_former_owner_of_the_line_wrote_was_not_put_on_it() -> None:
    scene = Scene()
    scene.taken("node0")
    scene.answered("AP02:a", 100)
    scene.taken("node1")
    scene.sent("AP02:a", 100, node="node0")  # it was frozen, woke up, and saw the gap
    assert scene.offenders() == []
    scene.sent("AP02:a", 101, node="node1")
    assert scene.offenders() == [(1, "AP02:a has 2 sent records")]


def test_what_a_former_life_of_the_same_node_wrote_was_not_put_on_the_line_either() -> None:
    scene = Scene()
    scene.taken("node0")
    scene.answered("AP02:a", 100)
    scene.taken("node0")
    scene.sent("AP02:a", 100, headers=((EPOCH, b"0"),))  # it was on its way to the log while its process ended
    assert scene.offenders() == []
    scene.sent("AP02:a", 101, headers=((EPOCH, b"2"),))
    assert scene.offenders() == [(1, "AP02:a has 2 sent records")]


def test_what_a_former_owner_of_the_states_wrote_is_no_state() -> None:
    scene = Scene()
    for node in (b"node0", b"node1"):
        scene.raw("transactions", key=MARKER_KEY, value=node)
    scene.epoch = 1  # the offset of node1's marker
    scene.answered("AP02:a", 100)
    scene.epoch = 0
    scene.state("AP02:a", Stage.IN_DOUBT)
    assert scene.offenders() == []
    scene.epoch = 1
    scene.state("AP02:a", Stage.IN_DOUBT)
    assert scene.offenders() == [(2, "AP02:a had ended as answered and went on to in_doubt")]


NOTHING = Evidence(
    clients=[], ledgers={}, violations={}, stations={}, texts={}, secrets=[],
    topics={"requests": [], "reports": [], "transactions": [], "deliveries": [], "attention": [], "cancel-reports": []},
)  # fmt: skip


def test_where_there_was_nothing_to_look_at_it_is_said_and_does_not_hold() -> None:
    assert [(finding.number, each) for finding in report(NOTHING) for each in finding.offenders] == [
        (2, "no accepted request was found: there was nothing to look at"),
        (3, "no client wrote anything down: there was nothing to look at"),
        (7, "no record was found: there was nothing to look at"),
        (7, "no log was found: there was nothing to look at"),
        (7, "no secret was found: there was nothing to look at"),
    ]


def test_a_line_that_was_left_out_of_the_evidence_is_noticed() -> None:
    scene = clean()
    scene.topics["sent.cafis-2"].clear()
    assert scene.offenders() == [
        (1, "trace number 100 of DNB00002 was booked without a sent record"),
        (2, "AP02:elsewhere ended as answered and was put on no line"),
        (3, "AP02:elsewhere was told approved and does not stand in the partner's books"),
        (6, "AP02:elsewhere: the books hold ¥0, told ¥5,000"),
        (6, "the books hold ¥5,000 that belong to no request"),
    ]


def test_books_that_were_left_out_of_the_evidence_are_noticed() -> None:
    scene = clean()
    scene.ledger.clear()
    numbers = {number for number, _ in scene.offenders()}
    assert numbers == {3, 6}


def carried() -> Scene:
    """With a payment of CARDNET's that went in an envelope, over a line of CAFIS."""
    scene = clean()
    scene.answered("AP22:carried", 140, amount=300)
    scene.state("AP22:carried", Stage.ANSWERED, Outcome.APPROVED, partner="cardnet")
    return scene


def test_what_went_in_an_envelope_stands_in_the_books_of_whom_it_was_for() -> None:
    scene = carried()
    scene.other_ledger.append(scene.ledger.pop())
    assert scene.offenders() == []


def test_what_stands_in_the_books_of_the_wrong_partner_is_named() -> None:
    assert carried().offenders() == [(6, "AP22:carried is for cardnet and stands in the books of cafis")]


def test_a_topic_that_was_left_out_of_the_evidence_is_a_crash() -> None:
    scene = clean()
    del scene.topics["deliveries"]
    with pytest.raises(KeyError, match="deliveries"):
        report(scene.evidence)


def test_many_offenders_are_counted_and_the_first_five_shown() -> None:
    finding = Finding(1, "一", "one", offenders=[f"o{number}" for number in range(8)])
    assert not finding.holds
    assert finding.shown() == "o0; o1; o2; o3; o4; and 3 more"
    assert Finding(1, "一", "one", offenders=["o0"]).shown() == "o0"
