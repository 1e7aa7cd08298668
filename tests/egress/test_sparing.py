"""The breakers of partners: over several lines of a process, and on a line that carries another partner's telegrams."""

from test_egress_carrying import CarryingRig
from test_egress_core import MIDNIGHT, Rig

from egress.acts import Act, Tell
from egress.sparing import Sparing
from schemas.installation import PartnerBreaker
from schemas.records import LineState

SETTINGS = PartnerBreaker(silences=3, errors=2, rest_ms=1_000, rest_max_ms=3_000, probes=2)
KEEPALIVE = {"breaker": {"probe_ms": 100, "silences": 0}}


def lines(count: int) -> tuple[Sparing, list[Rig]]:
    """Open lines of one partner, in one process."""
    sparing = Sparing({"cafis": SETTINGS})
    rigs = [Rig(times=KEEPALIVE, sparing=sparing) for _ in range(count)]
    for rig in rigs:
        rig.play("opened", 0)
    return sparing, rigs


def silent(rig: Rig, who: str, at: int) -> None:
    """A request that is not answered."""
    rig.play(f"ask {who} until {at + 5_000}", at)
    rig.play("stored", at)
    rig.play("due", at + 1_001)


def told(acts: list[Act]) -> list[tuple[str, str | None]]:
    """Stage and spared partners, of the line states among them."""
    records = [act.record for act in acts if isinstance(act, Tell)]
    return [(record.stage, record.spared) for record in records if isinstance(record, LineState)]


def test_silences_in_a_row_over_all_its_lines_have_a_partner_spared_on_each() -> None:
    sparing, (first, second) = lines(2)
    silent(first, "a", 0)
    silent(second, "b", 10)
    assert sparing.spared == set()
    assert told(second.core.due(MIDNIGHT + 1_012)) == []
    silent(first, "c", 20)
    assert sparing.spared == {"cafis"}
    assert told(second.core.due(MIDNIGHT + 1_030)) == [("open", "cafis")], "told at once, though it is as open as ever"


def test_what_waits_and_what_comes_is_refused_at_once_and_cancels_go_on() -> None:
    sparing, (first, second) = lines(2)
    silent(second, "a", 0)
    for who in "bcd":  # on all three routes
        second.play(f"ask {who} until 9000", 1_100)
    second.play("stored", 1_100)
    assert second.play("ask waiting until 9000", 1_101) == ""
    silent(first, "x", 0)
    silent(first, "y", 10)
    assert sparing.spared == {"cafis"}
    assert "withheld waiting#0 partner_suspended" in second.play("due", 1_110)
    assert second.play("ask late until 9000", 1_120) == "withheld late#0 partner_suspended"
    assert second.play("8930 a 1", 1_130).startswith("sent a#1 ")


def test_an_answer_over_any_line_ends_the_row() -> None:
    sparing, (first, second) = lines(2)
    silent(first, "a", 0)
    silent(first, "b", 10)
    second.play("ask c", 1_100)
    second.play("stored", 1_100)
    second.play("approved c", 1_110)
    silent(first, "d", 1_200)
    assert sparing.spared == set()


def test_errors_of_the_network_have_it_spared_too() -> None:
    sparing, (rig,) = lines(1)
    for who in "ab":
        rig.play(f"ask {who}", 0)
        rig.play("stored", 0)
        rig.play(f"error {who}", 1)
    assert sparing.spared == {"cafis"}


def test_answers_whatever_they_say_spare_nobody() -> None:
    sparing, (rig,) = lines(1)
    for at, answer in enumerate(("approved", "declined", "turned_round", "approved", "declined")):
        for event in (f"ask {at}", "stored", f"{answer} {at}"):
            rig.play(event, at)
    assert sparing.spared == set()


def test_keep_alives_over_its_lines_end_it_after_a_rest_and_never_a_customers_payment() -> None:
    sparing, (first, second) = lines(2)
    for number, who in enumerate("abc"):
        silent(first, who, 10 * number)  # spared since 1,021
    answered: list[tuple[int, bool]] = []
    states: list[tuple[str, str | None]] = []
    for now in range(1_150, 2_400, 125):
        for rig in (first, second):
            acts = rig.core.due(MIDNIGHT + now)
            states += told(acts)
            if "transmit keepalive_request" in rig.seen(acts):
                rig.play("alive", now)
                answered.append((now, bool(sparing.spared)))
    assert [at for at, spared in answered if spared][-1] < 2_021 <= next(at for at, spared in answered if not spared)
    assert states[-2:] == [("open", None)] * 2, "each line tells"
    assert second.play("ask z until 9000", 2_600).startswith("sent z#0 ")


def test_on_trial_the_first_that_goes_wrong_has_it_spared_again_for_twice_as_long() -> None:
    sparing = Sparing({"cafis": SETTINGS})
    for _ in range(3):
        sparing.silent("cafis", 0, 0)
    for now in (500, 1_000):
        sparing.probed(["cafis"], now)
    assert sparing.spared == set()
    sparing.silent("cafis", 1_100, 1_100)
    assert sparing.spared == {"cafis"}
    for now in (2_200, 3_000):
        sparing.probed(["cafis"], now)
        assert sparing.spared == {"cafis"}, "it rests until 3,100"
    sparing.probed(["cardnet"], 3_200)
    assert sparing.spared == {"cafis"}, "another partner's line says nothing about it"
    sparing.probed(["cafis"], 3_200)
    assert sparing.spared == set()


def carried_and_spared(silences: int) -> CarryingRig:
    """A line that takes the telegrams of a partner that has just been spared; its own breaker opens after so many."""
    rig = CarryingRig(
        times={"breaker": {"silences": silences, "probe_ms": 100}},
        sparing=Sparing({"cafis": SETTINGS, "cardnet": SETTINGS}),
    )
    rig.play("opened", 0)
    for number, who in enumerate("abc"):
        silent(rig, who, 10 * number)
    assert rig.core.sparing.spared == {"cardnet"}
    return rig


def test_a_partner_that_is_carried_is_spared_alone_and_the_lines_own_goes_on() -> None:
    rig = carried_and_spared(silences=2)
    assert rig.core.station.open, "its own breaker is about its own partner"
    assert rig.play("ask d until 9000", 1_100) == "withheld d#0 partner_suspended"
    rig.play("release a", 1_101)
    assert rig.play("ask own until 9000", 1_102).startswith("sent own#0 ")


def test_a_partner_that_is_carried_comes_back_however_busy_the_line_is_with_the_others() -> None:
    rig = carried_and_spared(silences=0)
    rig.play("release a", 1_030)
    probed = []
    for now in range(1_040, 3_000, 10):
        for event in (f"ask own until {now + 5_000}", "stored", "approved own"):
            rig.play(event, now)
        if "transmit keepalive_request" in rig.play("due", now):
            rig.play("alive", now)
            probed.append(now)
        if not rig.core.sparing.spared:
            break
    assert rig.core.sparing.spared == set()
    assert probed == [1_830, 1_930, 2_030], "two probes before the rest is over, and as often as over a quiet line"


def test_of_several_spared_partners_a_line_tells_all() -> None:
    rig = CarryingRig(times=KEEPALIVE, sparing=Sparing({"cafis": SETTINGS, "cardnet": SETTINGS}))
    rig.play("opened", 0)
    for partner in ("cafis", "cardnet") * 3:
        rig.core.sparing.silent(partner, MIDNIGHT, MIDNIGHT)
    assert told(rig.core.due(MIDNIGHT + 1)) == [("open", "cafis,cardnet")]
