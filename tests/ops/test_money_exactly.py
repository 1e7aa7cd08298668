"""The money report at its edges: two partners at once, owners' markers, sums of several entries, written secrets."""

from typing import Any

import pytest
from money_rig import DAY, Scene
from test_money_report import clean

from ops.money import Evidence, Finding, report
from pipeline.owned import EPOCH, MARKER_KEY
from schemas.records import Kind, Outcome, Stage

STATIONS = {"cafis-1": "DNB00001", "cafis-2": "DNB00002", "cardnet-1": "CDN00001"}


class Two(Scene):
    """With a line of CARDNET beside those of CAFIS, and books and violations of both."""

    def __init__(self) -> None:
        super().__init__()
        self.topics |= {"dispatch.cardnet-1": [], "sent.cardnet-1": []}
        self.other_violations: list[dict[str, Any]] = []

    @property
    def evidence(self) -> Evidence:
        return Evidence(
            clients=self.clients,
            ledgers={"cafis": self.ledger, "cardnet": self.other_ledger},
            violations={"cafis": self.violations, "cardnet": self.other_violations},
            stations=STATIONS,
            topics=self.topics,
            texts=self.texts,
            secrets=self.secrets,
        )

    def enter(self, partner: str, station: str, number: int, amount: int) -> None:
        row = {
            "station": station, "business_date": DAY, "trace_number": number, "in_force": amount != 0,
            "balance": amount,
        }  # fmt: skip
        (self.ledger if partner == "cafis" else self.other_ledger).append(row)

    def paid(self, name: str, number: int, line: str, partner: str, amount: int = 1_000) -> None:
        """Approved, told, and booked by this partner."""
        self.accepted(name, amount=amount)
        self.state(name, Stage.DISPATCHED, partner=partner, line=line)
        self.sent(name, number, line)
        self.enter(partner, STATIONS[line], number, amount)
        self.delivered(name)
        self.state(name, Stage.ANSWERED, Outcome.APPROVED, partner=partner, line=line)
        self.told(name, "approved", amount=amount)


def both() -> Two:
    """A payment with each partner, of the same trace number."""
    scene = Two()
    scene.paid("AP02:one", 100, "cafis-1", "cafis")
    scene.paid("AP22:two", 100, "cardnet-1", "cardnet", 300)
    assert scene.offenders() == []
    return scene


# --- two partners


def test_both_partners_books_are_summed() -> None:
    looked_at = {finding.number: finding.looked_at for finding in report(both().evidence)}
    assert looked_at[1] == "2 booked requests, 2 sent records"
    assert looked_at[5] == "2 telegrams on 3 lines"
    assert looked_at[6] == "booked ¥1,300 = told ¥1,300 + with a person ¥0"


@pytest.mark.parametrize(
    ("partner", "name", "station", "ours"),
    [("cafis", "AP02:one", "DNB00001", 1_000), ("cardnet", "AP22:two", "CDN00001", 300)],
)
def test_whatever_is_wrong_in_one_partners_books_is_named(partner: str, name: str, station: str, ours: int) -> None:
    scene = both()
    scene.enter(partner, station, 100, ours)
    assert scene.offenders() == [
        (1, f"{name} was booked 2 times"),
        (6, f"{name}: the books hold ¥{2 * ours:,}, told ¥{ours:,}"),
    ]
    scene = both()
    scene.enter(partner, station, 999, 70)
    assert scene.offenders() == [
        (1, f"trace number 999 of {station} was booked without a sent record"),
        (6, "the books hold ¥70 that belong to no request"),
    ]
    scene = both()
    (scene.ledger if partner == "cafis" else scene.other_ledger)[0].update(in_force=False, balance=0)
    assert scene.offenders() == [
        (3, f"{name} was told approved and does not stand in the partner's books"),
        (6, f"{name}: the books hold ¥0, told ¥{ours:,}"),
    ]


@pytest.mark.parametrize(("partner", "at"), [("cafis", "violations"), ("cardnet", "other_violations")])
def test_the_rules_that_each_partner_saw_broken_are_named(partner: str, at: str) -> None:
    scene = both()
    getattr(scene, at).append({"broken": "command_twice", "station": "S", "text": "8910 again"})
    getattr(scene, at).append({"broken": "command_twice", "station": "S", "text": "8930 again"})
    named = [(4, f"{partner}: command_twice: 8910 again"), (4, f"{partner}: command_twice: 8930 again")]
    assert scene.offenders() == named


@pytest.mark.parametrize(("line", "name"), [("cafis-1", "AP02:one"), ("cardnet-1", "AP22:two")])
def test_each_line_is_looked_at(line: str, name: str) -> None:
    scene = both()
    scene.sent(name, 101, line)
    assert scene.offenders() == [(1, f"{name} has 2 sent records")]
    scene = both()
    scene.ordered(name, 100, line)
    assert scene.offenders() == [(3, f"{name} was told approved and a cancel was ordered")]
    scene = both()
    scene.sent(name, 101, line, attempt=1)
    scene.sent(name, 102, line, attempt=1)
    assert scene.offenders() == [
        (4, f"attempt 1 of the cancel of {name} has 2 sent records"),
        (4, f"{name} was cancelled on the line, and nobody ordered it"),
    ]


@pytest.mark.parametrize(("name", "own", "other"), [("AP02:one", "cafis", "cardnet"), ("AP22:two", "cardnet", "cafis")])
def test_what_stands_in_the_other_partners_books_is_named_whichever_it_is(name: str, own: str, other: str) -> None:
    scene = both()
    here, there = (
        (scene.ledger, scene.other_ledger) if own == "cafis" else (scene.other_ledger, scene.ledger)
    )  # fmt: skip
    there.append(here.pop())
    assert scene.offenders() == [(6, f"{name} is for {own} and stands in the books of {other}")]


# --- who wrote it


def test_a_state_that_names_no_owner_is_none_once_somebody_has_marked_the_partition() -> None:
    scene = Scene()
    scene.raw("transactions", key=MARKER_KEY, value=b"node0")
    scene.answered("AP02:a", 100)
    assert scene.offenders() == [(2, "AP02:a was accepted and has no state")]
    assert scene.topics["transactions"][0].offset == 0


def test_a_record_of_an_owner_whose_marker_is_no_more_was_put_on_the_line() -> None:
    scene = Scene()
    scene.answered("AP02:a", 100)
    scene.sent("AP02:a", 101, headers=((EPOCH, b"0"),))  # its LineTaken has aged away
    assert scene.offenders() == [(1, "AP02:a has 2 sent records")]


def test_with_a_person_is_what_ended_there_and_nowhere_else() -> None:
    scene = Scene()
    scene.answered("AP02:well", 100)
    scene.accepted("AP02:a")
    scene.sent("AP02:a", 101)
    scene.booked(101)
    scene.raised("AP02:a")
    scene.state("AP02:a", Stage.ATTENTION)  # the only state that is left of it
    scene.told("AP02:a", "attention")
    assert scene.offenders() == []
    scene.state("AP02:a", Stage.CANCELLED)
    assert (3, "AP02:a stands in the partner's books, and nobody was told approved") in scene.offenders()


# --- sums


def test_each_kind_moves_what_it_moves() -> None:
    scene = Scene()
    scene.answered("AP02:sale", 100, amount=1_000)
    scene.answered("AP02:sale/back", 101, Kind.REFUND, amount=400, moves=-400)
    scene.answered("AP02:other", 102, amount=700)
    scene.answered("AP02:other/void", 103, Kind.CANCEL, amount=700, moves=-700)
    scene.answered("AP02:hold/1", 104, Kind.AUTHORISATION, moves=0)
    scene.answered("AP02:hold/1/lift", 105, Kind.CANCEL, moves=0)  # the original's reference has a stroke itself
    assert scene.offenders() == []
    sums = next(finding for finding in report(scene.evidence) if finding.number == 6)
    assert sums.looked_at == "booked ¥600 = told ¥600 + with a person ¥0"


def test_a_payment_that_is_booked_twice_counts_twice() -> None:
    scene = clean()
    scene.booked(100)
    assert scene.offenders() == [
        (1, "AP02:sale was booked 2 times"),
        (6, "AP02:sale: the books hold ¥2,000, told ¥1,000"),
    ]


def test_cancels_that_name_no_number_and_a_wrong_one_are_told_in_order() -> None:
    scene = clean()
    scene.topics["dispatch.cafis-1"].clear()
    scene.ordered("AP02:silent", 111, attempt=2)
    scene.ordered("AP02:silent", None)
    scene.ordered("AP02:silent", 109, attempt=3)
    scene.ordered("AP02:hard", 120)
    assert scene.offenders() == [
        (4, "the cancels of AP02:silent name different originals"),
        (4, "AP02:silent went out as 110 of cafis-1, its cancel names 109 of cafis-1"),
        (4, "AP02:silent went out as 110 of cafis-1, its cancel names 111 of cafis-1"),
    ]


# --- secrets


def named(secret: bytes, *texts: bytes) -> list[bytes]:
    """Which of these are said to hold the secret."""
    scene = clean()
    scene.secrets = [secret]
    found = []
    for text in texts:
        scene.texts = {"log": text}
        offenders = scene.offenders()
        assert offenders in ([], [(7, "log")])
        found += [text] if offenders else []
    return found


def test_a_card_number_is_found_in_every_way_in_which_it_is_written() -> None:
    for written in (
        b"4539578763621486", b"4539 5787 6362 1486", b"4539-5787-6362-1486", b"\x45\x39\x57\x87\x63\x62\x14\x86",
        "4539578763621486".encode("cp500"),
    ):  # fmt: skip
        assert named(b"4539578763621486", b"x" + written + b"y") == [b"x" + written + b"y"]
    for written in (b"4539578763621", b"4539 5787 6362 1", b"4539-5787-6362-1", "4539578763621".encode("cp500")):
        assert named(b"4539578763621", b"x" + written + b"y") == [b"x" + written + b"y"]  # the shortest there is


def test_a_short_secret_and_one_that_is_no_number_are_found_as_they_are_alone() -> None:
    assert named(b"7391", b"\x73\x91", "7391".encode("cp500"), b"7391") == [b"7391"]
    assert named(b"token-of-a-merchant!", b"a token-of-a-merchant!", b"another") == [b"a token-of-a-merchant!"]


def test_how_much_was_looked_at_for_secrets_is_said() -> None:
    def looked_at(size: int) -> str:
        scene = clean()
        scene.texts = {"log": b"x" * size}
        return next(finding for finding in report(scene.evidence) if finding.number == 7).looked_at

    assert [looked_at(size) for size in (1_000, 1_999, 2_000)] == [
        f"56 records, {kilobytes} kB of logs and metrics" for kilobytes in (1, 1, 2)
    ]
    scene = Scene()
    scene.raw("requests", key=None, value=None)
    assert [each for number, each in scene.offenders() if number == 7] == []  # one record is something to look at


# --- how it is told


def test_the_invariants_stand_in_the_order_of_their_numbers_in_both_languages() -> None:
    assert [(finding.number, finding.japanese, finding.english) for finding in report(clean().evidence)] == [
        (1, "要求は回線に一度だけ送信される", "no request is put on a line twice"),
        (2, "すべての要求が必ず一つの終わりを持つ", "each accepted request has exactly one end"),
        (3, "承認と伝えた取引は取消されず、伝えていない取引は残らない", "what was told is what stands"),
        (4, "取消は一度だけ、同じ元取引に対して行われる", "each cancel names one original, and is done once"),
        (5, "処理通番は回線・営業日ごとに一意", "trace numbers are unique per line and business day"),
        (6, "センタの帳簿と顧客への回答が一致する", "the partners' books are what clients were told"),
        (7, "カード情報はどこにも平文で現れない", "no card data in clear anywhere"),
    ]


@pytest.mark.parametrize(
    ("count", "shown"),
    [(4, "o0; o1; o2; o3"), (5, "o0; o1; o2; o3; o4"), (6, "o0; o1; o2; o3; o4; and 1 more")],
)
def test_the_first_five_offenders_are_shown(count: int, shown: str) -> None:
    finding = Finding(1, "一", "one", offenders=[f"o{number}" for number in range(count)])
    assert finding.shown() == shown
