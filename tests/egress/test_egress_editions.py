"""A line on the day its partner's layouts change: each telegram is of the edition of its own business date."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from edition_rig import BEFORE, FOLDER, SINCE, write_editions
from test_egress_core import MIDNIGHT, Rig, steps

from egress.config import Settings
from pipeline.config import ConfigError
from schemas.installation import Installation
from schemas.japan_time import business_date
from schemas.records import StrayTelegram
from schemas.telegrams import DecodeError, Role, load_partner

DEVELOPMENT = Path(__file__).parents[2] / "deploy" / "environments" / "development" / "denbun.toml"
SCENARIOS = {
    "answered before midnight, and after it": """
        -3000 ask a            -> sent a#0 t1 r1
        -2999 stored           -> transmit sale_request t1 r1
        -2000 approved a       -> report a approved
        -1000 ask b            -> sent b#0 t2 r2
         -999 stored           -> transmit sale_request t2 r2
            1 ask c            -> sent c#0 t3 r3
            2 stored           -> transmit sale_request t3 r3
            3 approved b       -> report b approved
            4 declined c       -> report c declined
    """,
    "numbered before midnight, transmitted after it: of the day of its number": """
           -1 ask a            -> sent a#0 t1 r1
            1 stored           -> transmit sale_request t1 r1
            2 approved a       -> report a approved
    """,
    "yesterday's payment is cancelled today": """
         -500 ask a            -> sent a#0 t1 r1
         -499 stored           -> transmit sale_request t1 r1
          501 due              -> hold r1 a, missing a silence, line open
          502 8930 a 1 unknown -> sent a#1 t2 r1
          503 stored           -> transmit fault_confirm t2 r1
          600 done a           -> cancel a#1 done
    """,
    "a late report of yesterday's": """
         -500 ask a            -> sent a#0 t1 r1
         -499 stored           -> transmit sale_request t1 r1
          501 due              -> hold r1 a, missing a silence, line open
          600 approved a       -> late a approved
    """,
    "a report of the other edition than its date says is for nobody": """
            1 ask a            -> sent a#0 t1 r1
            2 stored           -> transmit sale_request t1 r1
            3 misdated a       -> stray
         1003 due              -> hold r1 a, missing a silence, line open
    """,
}


class DayRig(Rig):
    """Begins on the old edition's last day."""

    def __init__(self, place: Path) -> None:
        self.sent: list[bytes] = []
        super().__init__(now=-10_000, partner=load_partner(place, BEFORE))

    def transmitted(self, data: bytes) -> str:
        self.sent.append(data[4:])
        return super().transmitted(data)

    def do_misdated(self, now: int, who: str) -> list[Any]:
        old = self.partner.on(BEFORE)
        values = {**self.last[who].values, "result_code": "000"}
        named = {name: value for name, value in values.items() if name in old.telegrams[Role.SALE_REPORT].names}
        return self.core.received(old.encode(Role.SALE_REPORT, named), now + MIDNIGHT)


@pytest.fixture
def rig(tmp_path: Path) -> DayRig:
    rig = DayRig(write_editions(tmp_path))
    rig.play("opened", -10_000)
    return rig


def played(rig: DayRig, name: str) -> list[bytes]:
    """What went onto the line, but for the opening."""
    for at, event, told in steps(SCENARIOS[name]):
        assert rig.play(event, at) == told, f"{at} {event}"
    return rig.sent[1:]


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(rig: DayRig, name: str) -> None:
    assert (business_date(MIDNIGHT - 1), business_date(MIDNIGHT)) == (BEFORE, SINCE)
    assert played(rig, name)


def test_each_request_is_written_in_the_edition_of_its_day(rig: DayRig) -> None:
    before, last, after = played(rig, "answered before midnight, and after it")
    assert (before[:4], before[10:16], len(before)) == (b"1110", b"260331", 193)
    assert (last[:4], last[10:16], len(last)) == (b"1110", b"260331", 193)
    assert (after[:4], after[10:16], len(after)) == (b"1115", b"260401", 195)


def test_what_was_numbered_yesterday_stays_of_yesterday(rig: DayRig) -> None:
    (request,) = played(rig, "numbered before midnight, transmitted after it: of the day of its number")
    assert (request[:4], request[10:16]) == (b"1110", b"260331")


def test_a_cancel_of_today_names_yesterdays_original_as_it_was(rig: DayRig) -> None:
    request, cancel = played(rig, "yesterday's payment is cancelled today")
    assert (request[:4], request[22:28]) == (b"1110", b"000001")
    assert (cancel[:4], cancel[10:16]) == (b"8930", b"260401")
    assert cancel[49:68] == b"000001" + b"1110" + b"001" + b"260331", "in the places of the new edition"


def test_a_telegram_of_no_edition_is_told_by_the_one_that_could_read_most_of_it(rig: DayRig) -> None:
    (request,) = played(rig, "numbered before midnight, transmitted after it: of the day of its number")
    told = [
        act.record for act in rig.core.received(request[:60] + b"x" + request[61:], MIDNIGHT) if hasattr(act, "record")
    ]
    assert isinstance(told[0], StrayTelegram)
    assert "sale_request, field pan at byte 60" in told[0].description
    with pytest.raises(DecodeError, match="field business_date: is of a day on which another edition of the layouts"):
        rig.partner.read(request[:10] + b"260401" + request[16:])


def test_every_edition_is_held_against_the_lines(tmp_path: Path) -> None:
    place = write_editions(tmp_path)
    raw = tomllib.loads(DEVELOPMENT.read_text("utf-8"))
    raw["partner"][0]["telegrams"] = str(place)
    settings = Settings.from_installation(Installation.model_validate(raw))
    assert [edition.since for edition in settings.partners["cafis"].editions] == [None, SINCE]
    text = (place / "opening_request.toml").read_text("utf-8")
    shorter = text.replace('name = "station_id",', 'name = "station_id", length = 6, sample = "MCTR01",')
    (place / "versions" / FOLDER / "opening_request.toml").write_text(shorter.replace("= 44", "= 42"), "utf-8")
    with pytest.raises(ConfigError, match="opening_request, field station_id: has 8 characters where 1 to 6 belong"):
        Settings.from_installation(Installation.model_validate(raw))
